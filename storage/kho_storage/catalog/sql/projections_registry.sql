-- What events of the registry do to its tables.
-- $1: the payload with _at, _event_id, _principal_id, _officer_id and _reason.

-- name: agency_registered
INSERT INTO kho.agency (agency_uuid, agency_id, registered_at)
SELECT e.agency_uuid, e.agency_id, e._at
FROM jsonb_to_record($1::jsonb) AS e (agency_uuid uuid, agency_id text, _at timestamptz)

-- name: agency_registered_2
INSERT INTO kho.agency_code (code_key, code, agency_uuid, valid_from, valid_to)
SELECT c.key, c.code, e.agency_uuid, c.valid_from, c.valid_to
FROM jsonb_to_record($1::jsonb) AS e (agency_uuid uuid, codes jsonb),
     jsonb_to_recordset(e.codes) AS c (key text, code text, valid_from date, valid_to date)

-- name: agency_registered_3
INSERT INTO kho.agency_name (agency_uuid, ordinal, name, valid_from, valid_to)
SELECT e.agency_uuid, n.ordinal, n.name, n.valid_from, n.valid_to
FROM jsonb_to_record($1::jsonb) AS e (agency_uuid uuid, names jsonb),
     jsonb_to_recordset(e.names) AS n (ordinal int, name text, valid_from date, valid_to date)

-- name: agency_extended
-- A code that the agency has gets its new days. A code of another agency is not found here, so its insert fails on
-- agency_code_taken.
WITH sent AS (
    SELECT c.key, c.code, e.agency_uuid, c.valid_from, c.valid_to
    FROM jsonb_to_record($1::jsonb) AS e (agency_uuid uuid, codes jsonb),
         jsonb_to_recordset(e.codes) AS c (key text, code text, valid_from date, valid_to date)
), dated AS (
    UPDATE kho.agency_code AS held
    SET code = sent.code, valid_from = sent.valid_from, valid_to = sent.valid_to
    FROM sent
    WHERE held.code_key = sent.key AND held.agency_uuid = sent.agency_uuid
    RETURNING held.code_key
)
INSERT INTO kho.agency_code (code_key, code, agency_uuid, valid_from, valid_to)
SELECT sent.key, sent.code, sent.agency_uuid, sent.valid_from, sent.valid_to
FROM sent WHERE sent.key NOT IN (SELECT code_key FROM dated)

-- name: agency_extended_2
INSERT INTO kho.agency_name (agency_uuid, ordinal, name, valid_from, valid_to)
SELECT e.agency_uuid, n.ordinal, n.name, n.valid_from, n.valid_to
FROM jsonb_to_record($1::jsonb) AS e (agency_uuid uuid, names jsonb),
     jsonb_to_recordset(e.names) AS n (ordinal int, name text, valid_from date, valid_to date)
ON CONFLICT (agency_uuid, ordinal)
DO UPDATE SET name = EXCLUDED.name, valid_from = EXCLUDED.valid_from, valid_to = EXCLUDED.valid_to

-- name: agency_revoked
UPDATE kho.agency AS a SET revoked_at = e._at
FROM jsonb_to_record($1::jsonb) AS e (agency_uuid uuid, _at timestamptz)
WHERE a.agency_uuid = e.agency_uuid

-- name: officer_registered
INSERT INTO kho.officer (agency_uuid, officer_id, display_name, valid_from, valid_to)
SELECT e.agency_uuid, e.officer_id, e.display_name, e.valid_from, e.valid_to
FROM jsonb_to_record($1::jsonb)
    AS e (agency_uuid uuid, officer_id text, display_name text, valid_from date, valid_to date)

-- name: officer_revoked
UPDATE kho.officer AS o SET revoked_at = e._at
FROM jsonb_to_record($1::jsonb) AS e (agency_uuid uuid, officer_id text, _at timestamptz)
WHERE o.agency_uuid = e.agency_uuid AND o.officer_id = e.officer_id

-- name: principal_registered
INSERT INTO kho.principal (
    principal_id, kind, agency_uuid, display_name, certificate_sha256, issuer_key_sha256, subject, default_officer_id,
    valid_from, valid_to)
SELECT e.principal_id, e.kind, e.agency_uuid, e.display_name, e.certificate_sha256, e.issuer_key_sha256, e.subject,
       e.default_officer_id, e.valid_from, e.valid_to
FROM jsonb_to_record($1::jsonb)
    AS e (principal_id uuid, kind text, agency_uuid uuid, display_name text, certificate_sha256 text,
          issuer_key_sha256 text, subject text, default_officer_id text, valid_from timestamptz, valid_to timestamptz)

-- name: principal_revoked
UPDATE kho.principal AS p SET revoked_at = e._at
FROM jsonb_to_record($1::jsonb) AS e (principal_id uuid, _at timestamptz)
WHERE p.principal_id = e.principal_id

-- name: grant_added
INSERT INTO kho.access_grant (grant_id, grantor_uuid, grantee_uuid, action, type_code, valid_from, valid_to, ground)
SELECT e.grant_id, e.grantor_uuid, e.grantee_uuid, e.action, e.type_code, e.valid_from, e.valid_to, e.ground
FROM jsonb_to_record($1::jsonb)
    AS e (grant_id uuid, grantor_uuid uuid, grantee_uuid uuid, action text, type_code text, valid_from date,
          valid_to date, ground text)

-- name: grant_revoked
UPDATE kho.access_grant AS g SET revoked_at = e._at
FROM jsonb_to_record($1::jsonb) AS e (grant_id uuid, _at timestamptz)
WHERE g.grant_id = e.grant_id
