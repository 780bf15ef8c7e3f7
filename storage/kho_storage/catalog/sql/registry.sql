-- name: lock_agencies
-- Agencies are registered one after the other, so that what an agency has cannot change between look and write.
SELECT pg_advisory_xact_lock(x'6B686F03'::int)

-- name: agency_by_id
-- $1 agency_id
SELECT agency_uuid, agency_id, registered_at, revoked_at, codes, names
FROM kho.registered_agency WHERE agency_id = $1

-- name: agency_by_code
-- $1 code key
SELECT a.agency_uuid, a.agency_id, a.registered_at, a.revoked_at, a.codes, a.names
FROM kho.registered_agency AS a
JOIN kho.agency_code AS c USING (agency_uuid)
WHERE c.code_key = $1

-- name: list_agencies
-- $1 after agency_id, $2 limit
SELECT agency_uuid, agency_id, registered_at, revoked_at, codes, names
FROM kho.registered_agency WHERE agency_id > $1
ORDER BY agency_id LIMIT $2

-- name: officer
-- $1 agency_uuid, $2 officer_id
SELECT agency_uuid, agency_id, officer_id, display_name, valid_from, valid_to, revoked_at
FROM kho.registered_officer WHERE agency_uuid = $1 AND officer_id = $2

-- name: officers_by_name
-- Many at once. $1 agency_uuids, $2 officer_ids, pairwise
SELECT o.agency_uuid, o.agency_id, o.officer_id, o.display_name, o.valid_from, o.valid_to, o.revoked_at
FROM unnest($1::uuid[], $2::text[]) AS asked (agency_uuid, officer_id)
JOIN kho.registered_officer AS o ON (o.agency_uuid, o.officer_id) = (asked.agency_uuid, asked.officer_id)

-- name: lock_officer
-- $1 agency_id, $2 officer_id
SELECT o.agency_uuid
FROM kho.officer AS o
JOIN kho.agency AS a USING (agency_uuid)
WHERE a.agency_id = $1 AND o.officer_id = $2
FOR UPDATE OF o

-- name: list_officers
-- $1 agency_id or null, $2 after agency_id, $3 after officer_id, $4 limit
SELECT agency_uuid, agency_id, officer_id, display_name, valid_from, valid_to, revoked_at
FROM kho.registered_officer
WHERE ($1::text IS NULL OR agency_id = $1) AND (agency_id, officer_id) > ($2, $3)
ORDER BY agency_id, officer_id LIMIT $4

-- name: principal
-- $1 principal_id
SELECT principal_id, kind, agency_uuid, agency_id, display_name, certificate_sha256, issuer_key_sha256, subject,
       default_officer_id, valid_from, valid_to, revoked_at, agency_revoked_at
FROM kho.registered_principal WHERE principal_id = $1

-- name: lock_principal
-- $1 principal_id
SELECT principal_id FROM kho.principal WHERE principal_id = $1 FOR UPDATE

-- name: principal_by_certificate
-- The living before the revoked, the fingerprint before the subject, the latest first.
-- $1 certificate_sha256, $2 issuer_key_sha256s, $3 subject
SELECT principal_id, kind, agency_uuid, agency_id, display_name, certificate_sha256, issuer_key_sha256, subject,
       default_officer_id, valid_from, valid_to, revoked_at, agency_revoked_at
FROM kho.registered_principal
WHERE certificate_sha256 = $1 OR (issuer_key_sha256 = ANY ($2::text[]) AND subject = $3)
ORDER BY revoked_at DESC NULLS FIRST, certificate_sha256 NULLS LAST, valid_from DESC, principal_id
LIMIT 1

-- name: list_principals
-- $1 agency_id or null, $2 after principal_id, $3 limit
SELECT principal_id, kind, agency_uuid, agency_id, display_name, certificate_sha256, issuer_key_sha256, subject,
       default_officer_id, valid_from, valid_to, revoked_at, agency_revoked_at
FROM kho.registered_principal
WHERE ($1::text IS NULL OR agency_id = $1) AND ($2::uuid IS NULL OR principal_id > $2)
ORDER BY principal_id LIMIT $3

-- name: grant
-- $1 grant_id
SELECT grant_id, grantor_uuid, grantor_id, grantee_uuid, grantee_id, action, type_code, valid_from, valid_to, ground,
       revoked_at
FROM kho.registered_grant WHERE grant_id = $1

-- name: lock_grant
-- $1 grant_id
SELECT grant_id FROM kho.access_grant WHERE grant_id = $1 FOR UPDATE

-- name: grants_between
-- Those that are not revoked, of many pairs at once. $1 grantor_uuids, $2 grantee_uuids, pairwise
SELECT g.grant_id, g.grantor_uuid, g.grantor_id, g.grantee_uuid, g.grantee_id, g.action, g.type_code, g.valid_from,
       g.valid_to, g.ground, g.revoked_at
FROM unnest($1::uuid[], $2::uuid[]) AS asked (grantor_uuid, grantee_uuid)
JOIN kho.registered_grant AS g ON (g.grantee_uuid, g.grantor_uuid) = (asked.grantee_uuid, asked.grantor_uuid)
WHERE g.revoked_at IS NULL
ORDER BY g.grant_id

-- name: list_grants
-- $1 agency_uuid or null, $2 after grant_id, $3 limit
SELECT grant_id, grantor_uuid, grantor_id, grantee_uuid, grantee_id, action, type_code, valid_from, valid_to, ground,
       revoked_at
FROM kho.registered_grant
WHERE ($1::uuid IS NULL OR grantor_uuid = $1 OR grantee_uuid = $1) AND ($2::uuid IS NULL OR grant_id > $2)
ORDER BY grant_id LIMIT $3
