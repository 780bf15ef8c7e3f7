-- What events of the registry do to its tables. $1: the payload with _at, _event_id, _principal_id, _officer_id, _reason.

-- name: agency_registered
INSERT INTO kho.agency (agency_uuid, agency_id, registered_at)
VALUES (($1::jsonb ->> 'agency_uuid')::uuid, $1 ->> 'agency_id', ($1 ->> '_at')::timestamptz)

-- name: agency_registered_2
INSERT INTO kho.agency_code (code_key, code, agency_uuid, valid_from, valid_to)
SELECT c.key, c.code, ($1::jsonb ->> 'agency_uuid')::uuid, c.valid_from, c.valid_to
FROM jsonb_to_recordset($1 -> 'codes') AS c (key text, code text, valid_from date, valid_to date)

-- name: agency_registered_3
INSERT INTO kho.agency_name (agency_uuid, ordinal, name, valid_from, valid_to)
SELECT ($1::jsonb ->> 'agency_uuid')::uuid, n.ordinal, n.name, n.valid_from, n.valid_to
FROM jsonb_to_recordset($1 -> 'names') AS n (ordinal int, name text, valid_from date, valid_to date)

-- name: agency_extended
-- A code of another agency does not match, so its insert fails on agency_code_taken.
WITH dated AS (
    UPDATE kho.agency_code AS held
    SET code = c.code, valid_from = c.valid_from, valid_to = c.valid_to
    FROM jsonb_to_recordset($1::jsonb -> 'codes') AS c (key text, code text, valid_from date, valid_to date)
    WHERE held.code_key = c.key AND held.agency_uuid = ($1 ->> 'agency_uuid')::uuid
    RETURNING held.code_key
)
INSERT INTO kho.agency_code (code_key, code, agency_uuid, valid_from, valid_to)
SELECT c.key, c.code, ($1 ->> 'agency_uuid')::uuid, c.valid_from, c.valid_to
FROM jsonb_to_recordset($1 -> 'codes') AS c (key text, code text, valid_from date, valid_to date)
WHERE c.key NOT IN (SELECT code_key FROM dated)

-- name: agency_extended_2
INSERT INTO kho.agency_name (agency_uuid, ordinal, name, valid_from, valid_to)
SELECT ($1::jsonb ->> 'agency_uuid')::uuid, n.ordinal, n.name, n.valid_from, n.valid_to
FROM jsonb_to_recordset($1 -> 'names') AS n (ordinal int, name text, valid_from date, valid_to date)
ON CONFLICT (agency_uuid, ordinal)
DO UPDATE SET name = EXCLUDED.name, valid_from = EXCLUDED.valid_from, valid_to = EXCLUDED.valid_to

-- name: agency_revoked
UPDATE kho.agency SET revoked_at = ($1::jsonb ->> '_at')::timestamptz
WHERE agency_uuid = ($1 ->> 'agency_uuid')::uuid

-- name: officer_registered
INSERT INTO kho.officer (agency_uuid, officer_id, display_name, valid_from, valid_to)
VALUES (
    ($1::jsonb ->> 'agency_uuid')::uuid, $1 ->> 'officer_id', $1 ->> 'display_name',
    ($1 ->> 'valid_from')::date, ($1 ->> 'valid_to')::date)

-- name: officer_revoked
UPDATE kho.officer SET revoked_at = ($1::jsonb ->> '_at')::timestamptz
WHERE agency_uuid = ($1 ->> 'agency_uuid')::uuid AND officer_id = $1 ->> 'officer_id'

-- name: principal_registered
INSERT INTO kho.principal (
    principal_id, kind, agency_uuid, display_name, certificate_sha256, issuer_key_sha256, subject, default_officer_id,
    valid_from, valid_to)
VALUES (
    ($1::jsonb ->> 'principal_id')::uuid, $1 ->> 'kind', ($1 ->> 'agency_uuid')::uuid, $1 ->> 'display_name',
    $1 ->> 'certificate_sha256', $1 ->> 'issuer_key_sha256', $1 ->> 'subject', $1 ->> 'default_officer_id',
    ($1 ->> 'valid_from')::timestamptz, ($1 ->> 'valid_to')::timestamptz)

-- name: principal_revoked
UPDATE kho.principal SET revoked_at = ($1::jsonb ->> '_at')::timestamptz
WHERE principal_id = ($1 ->> 'principal_id')::uuid

-- name: grant_added
INSERT INTO kho.access_grant (
    grant_id, grantor_uuid, grantee_uuid, action, type_code, valid_from, valid_to, ground)
VALUES (
    ($1::jsonb ->> 'grant_id')::uuid, ($1 ->> 'grantor_uuid')::uuid, ($1 ->> 'grantee_uuid')::uuid, $1 ->> 'action',
    $1 ->> 'type_code', ($1 ->> 'valid_from')::date, ($1 ->> 'valid_to')::date, $1 ->> 'ground')

-- name: grant_revoked
UPDATE kho.access_grant SET revoked_at = ($1::jsonb ->> '_at')::timestamptz
WHERE grant_id = ($1 ->> 'grant_id')::uuid
