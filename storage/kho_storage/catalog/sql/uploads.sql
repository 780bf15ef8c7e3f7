-- name: open_upload
-- Opens an upload, or renews it with a newer declaration of the same version.
-- $1 agency, $2 document, $3 version, $4 reason, $5 reason text, $6 declaration, $7 pages, $8 renditions,
-- $9 first rendition, $10 sheets, $11 officer, $12 begun at, $13 lease until
INSERT INTO kho.upload
    (agency_uuid, document_id, version, reason, reason_text, declaration, pages, renditions, first_rendition, sheets,
     officer_id, begun_at, lease_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (agency_uuid, document_id) DO UPDATE
SET declaration = excluded.declaration, pages = excluded.pages, renditions = excluded.renditions,
    reason = excluded.reason, reason_text = excluded.reason_text, first_rendition = excluded.first_rendition,
    sheets = excluded.sheets, officer_id = excluded.officer_id, lease_until = excluded.lease_until
WHERE upload.version = excluded.version
RETURNING begun_at

-- name: lock_upload
-- Holds an upload until the end of the transaction that renews it.
-- $1 agency, $2 document
SELECT reason FROM kho.upload WHERE agency_uuid = $1 AND document_id = $2 FOR UPDATE

-- name: sealed_version
-- Asked after the upload's row is held: a seal that was under way has ended by then.
-- $1 agency, $2 document
SELECT version FROM kho.document WHERE agency_uuid = $1 AND document_id = $2

-- name: find_upload
-- One upload with the code its document has.
-- $1 agency, $2 document
SELECT u.agency_uuid, u.document_id, u.version, u.reason, u.reason_text, u.declaration, u.pages, u.renditions,
       u.first_rendition, u.sheets, u.officer_id, u.begun_at, u.lease_until,
       c.code, c.code_key, c.public_code, c.prefix_key, c.sequence
FROM kho.upload AS u
LEFT JOIN kho.result_code AS c USING (agency_uuid, document_id)
WHERE u.agency_uuid = $1 AND u.document_id = $2

-- name: renew_lease
-- $1 agency, $2 document, $3 version, $4 lease until
UPDATE kho.upload SET lease_until = greatest(lease_until, $4)
WHERE agency_uuid = $1 AND document_id = $2 AND version = $3
RETURNING true

-- name: expired_uploads
-- Uploads whose lease has ended, the longest ended first.
-- $1 now, $2 how many
SELECT u.agency_uuid, u.document_id, u.version, u.reason, u.reason_text, u.declaration, u.pages, u.renditions,
       u.first_rendition, u.sheets, u.officer_id, u.begun_at, u.lease_until,
       c.code, c.code_key, c.public_code, c.prefix_key, c.sequence
FROM kho.upload AS u
LEFT JOIN kho.result_code AS c USING (agency_uuid, document_id)
WHERE u.lease_until < $1
ORDER BY u.lease_until
LIMIT $2

-- name: abandon_upload
-- Forgets an upload unless it was renewed meanwhile.
-- $1 agency, $2 document, $3 now
DELETE FROM kho.upload WHERE agency_uuid = $1 AND document_id = $2 AND lease_until < $3 RETURNING true

-- name: close_upload
-- Closes exactly the upload that is being sealed: none that was renewed with another declaration meanwhile.
-- $1 agency, $2 document, $3 version, $4 reason, $5 reason text, $6 declaration, $7 pages, $8 renditions, $9 sheets
DELETE FROM kho.upload
WHERE agency_uuid = $1 AND document_id = $2 AND version = $3 AND reason = $4 AND reason_text IS NOT DISTINCT FROM $5
  AND declaration = $6 AND pages = $7 AND renditions = $8 AND sheets = $9
RETURNING true

-- name: await_seals
-- A transaction that seals has deleted its upload's row, so that a lock on the row waits for the transaction's end.
-- $1 agencies, $2 documents, pairwise
SELECT u.version FROM kho.upload AS u
JOIN unnest($1::uuid[], $2::uuid[]) AS asked (agency_uuid, document_id) USING (agency_uuid, document_id)
FOR SHARE OF u

-- name: count_uploads
-- For the gauge of open uploads.
SELECT count(*) FROM kho.upload

-- name: code_of_document
-- $1 agency, $2 document
SELECT code, code_key, public_code, prefix_key, sequence
FROM kho.result_code WHERE agency_uuid = $1 AND document_id = $2

-- name: last_sequence
-- $1 prefix key
SELECT coalesce(max(sequence), 0) FROM kho.result_code WHERE prefix_key = $1 AND sequence IS NOT NULL

-- name: lock_series
-- Those who take the next number of one series stand in line until the end of their transaction.
-- $1 prefix key
SELECT pg_advisory_xact_lock(hashtextextended($1, 0))

-- name: is_code_taken
-- $1 code key
SELECT EXISTS (SELECT FROM kho.result_code WHERE code_key = $1)
