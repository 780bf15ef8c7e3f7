-- name: write_access
-- Records and closings of one batch in one statement, so that it is one round trip and one commit.
-- $1 to $13 columns of access_record, $14 to $17 columns of access_closing
WITH closed AS (
    INSERT INTO kho.access_closing (access_id, at, closed_at, bytes_sent)
    SELECT c.access_id, c.at, c.closed_at, c.bytes_sent
    FROM unnest($14::uuid[], $15::timestamptz[], $16::timestamptz[], $17::bigint[])
        AS c (access_id, at, closed_at, bytes_sent)
    -- A batch whose outcome was not known is written again.
    ON CONFLICT (access_id, at) DO NOTHING
)
INSERT INTO kho.access_record (
    access_id, at, principal_id, agency_uuid, officer_id, action, outcome, document_uuid, version, asked,
    dossier_code, procedure_code, request_id)
SELECT r.access_id, r.at, r.principal_id, r.agency_uuid, r.officer_id, r.action, r.outcome, r.document_uuid, r.version,
       r.asked, r.dossier_code, r.procedure_code, r.request_id
FROM unnest(
    $1::uuid[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::int[],
    $10::bytea[], $11::text[], $12::text[], $13::text[])
    AS r (access_id, at, principal_id, agency_uuid, officer_id, action, outcome, document_uuid, version, asked,
          dossier_code, procedure_code, request_id)

-- name: rehearse_access
-- Records of nobody's access to nothing, to be taken back. $1 when, $2 how many
INSERT INTO kho.access_record (
    access_id, at, principal_id, agency_uuid, officer_id, action, outcome, document_uuid, version, asked,
    dossier_code, procedure_code, request_id)
SELECT gen_random_uuid(), $1::timestamptz, gen_random_uuid(), NULL, NULL, 'LOOKUP', 'ABSENT', NULL, NULL,
       sha256(number::text::bytea), NULL, NULL, gen_random_uuid()::text
FROM generate_series(1, $2::int) AS number

-- name: access_of_document
-- Newest first. $1 document_uuid, $2 before at or null, $3 before access_id or null, $4 limit
SELECT r.access_id, r.at, r.principal_id, r.agency_uuid, r.officer_id, r.action, r.outcome, r.document_uuid, r.version,
       r.asked, r.dossier_code, r.procedure_code, r.request_id, a.agency_id, c.bytes_sent
FROM kho.access_record AS r
LEFT JOIN kho.access_closing AS c ON (c.access_id, c.at) = (r.access_id, r.at)
LEFT JOIN kho.agency AS a ON a.agency_uuid = r.agency_uuid
WHERE r.document_uuid = $1
  AND (r.at, r.access_id) < (
      coalesce($2, 'infinity'::timestamptz), coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
ORDER BY r.at DESC, r.access_id DESC
LIMIT $4

-- name: make_access_partition
-- $1 any day of the month
SELECT kho.make_access_partition($1::date)

-- name: astray_records
-- Whether rows lie in the default partitions: then partitions were not made in time.
SELECT (SELECT count(*) FROM kho.access_record_default) + (SELECT count(*) FROM kho.access_closing_default)
