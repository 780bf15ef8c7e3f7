-- name: document_facts
-- Who is sealed under this id already, and at which version.
-- $1 agency, $2 document
SELECT document_uuid, version, created_at FROM kho.document WHERE agency_uuid = $1 AND document_id = $2

-- name: lock_document
-- Holds a document's row until the end of the transaction that seals its next version.
-- $1 document uuid
SELECT version FROM kho.document WHERE document_uuid = $1 FOR UPDATE

-- name: dossier_procedure
-- $1 agency, $2 dossier key
SELECT procedure_key FROM kho.dossier WHERE agency_uuid = $1 AND code_key = $2

-- name: document_by_id
-- One document of an agency.
-- $1 agency, $2 document
SELECT d.document_uuid, d.agency_uuid, d.document_id, d.kind, d.lane, s.code AS dossier_code, s.code_key AS dossier_key,
       s.procedure_code, s.procedure_key, d.copy_form, original.document_id AS copy_of, d.version, d.state, d.created_at,
       EXISTS (SELECT FROM kho.verification_task AS t
               WHERE t.document_uuid = d.document_uuid AND t.version = d.version AND t.started_at IS NOT NULL)
           AS is_verifying
FROM kho.document AS d
JOIN kho.dossier AS s ON s.agency_uuid = d.agency_uuid AND s.code_key = d.dossier_key
LEFT JOIN kho.document AS original ON original.document_uuid = d.copy_of
WHERE d.agency_uuid = $1 AND d.document_id = $2

-- name: document_by_uuid
-- One document by its opaque name.
-- $1 document uuid
SELECT d.document_uuid, d.agency_uuid, d.document_id, d.kind, d.lane, s.code AS dossier_code, s.code_key AS dossier_key,
       s.procedure_code, s.procedure_key, d.copy_form, original.document_id AS copy_of, d.version, d.state, d.created_at,
       EXISTS (SELECT FROM kho.verification_task AS t
               WHERE t.document_uuid = d.document_uuid AND t.version = d.version AND t.started_at IS NOT NULL)
           AS is_verifying
FROM kho.document AS d
JOIN kho.dossier AS s ON s.agency_uuid = d.agency_uuid AND s.code_key = d.dossier_key
LEFT JOIN kho.document AS original ON original.document_uuid = d.copy_of
WHERE d.document_uuid = $1

-- name: document_state
-- $1 document uuid
SELECT d.version, d.state,
       EXISTS (SELECT FROM kho.verification_task AS t
               WHERE t.document_uuid = d.document_uuid AND t.version = d.version AND t.started_at IS NOT NULL)
           AS is_verifying
FROM kho.document AS d WHERE d.document_uuid = $1

-- name: documents_of_agency
-- An agency's documents, newest first, after a key.
-- $1 agency, $2 state or null, $3 created before or null, $4 uuid before, $5 how many
SELECT d.document_uuid, d.agency_uuid, d.document_id, d.kind, d.lane, s.code AS dossier_code, s.code_key AS dossier_key,
       s.procedure_code, s.procedure_key, d.copy_form, original.document_id AS copy_of, d.version, d.state, d.created_at,
       EXISTS (SELECT FROM kho.verification_task AS t
               WHERE t.document_uuid = d.document_uuid AND t.version = d.version AND t.started_at IS NOT NULL)
           AS is_verifying
FROM kho.document AS d
JOIN kho.dossier AS s ON s.agency_uuid = d.agency_uuid AND s.code_key = d.dossier_key
LEFT JOIN kho.document AS original ON original.document_uuid = d.copy_of
WHERE d.agency_uuid = $1
  AND ($2::text IS NULL OR d.state = $2)
  AND ($3::timestamptz IS NULL OR (d.created_at, d.document_uuid) < ($3, $4::uuid))
ORDER BY d.created_at DESC, d.document_uuid DESC
LIMIT $5

-- name: documents_of_dossier
-- The same within one dossier.
-- $1 agency, $2 state or null, $3 created before or null, $4 uuid before, $5 how many, $6 dossier key
SELECT d.document_uuid, d.agency_uuid, d.document_id, d.kind, d.lane, s.code AS dossier_code, s.code_key AS dossier_key,
       s.procedure_code, s.procedure_key, d.copy_form, original.document_id AS copy_of, d.version, d.state, d.created_at,
       EXISTS (SELECT FROM kho.verification_task AS t
               WHERE t.document_uuid = d.document_uuid AND t.version = d.version AND t.started_at IS NOT NULL)
           AS is_verifying
FROM kho.document AS d
JOIN kho.dossier AS s ON s.agency_uuid = d.agency_uuid AND s.code_key = d.dossier_key
LEFT JOIN kho.document AS original ON original.document_uuid = d.copy_of
WHERE d.agency_uuid = $1
  AND d.dossier_key = $6
  AND ($2::text IS NULL OR d.state = $2)
  AND ($3::timestamptz IS NULL OR (d.created_at, d.document_uuid) < ($3, $4::uuid))
ORDER BY d.created_at DESC, d.document_uuid DESC
LIMIT $5

-- name: versions_of_document
-- $1 document uuid
SELECT version, commit_id, reason, reason_text, officer_id, station, scanned_at, sealed_at, sheets, pages,
       manifest_sha256, manifest_bytes
FROM kho.document_version WHERE document_uuid = $1 ORDER BY version

-- name: parts_of_document
-- $1 document uuid
SELECT version, part_kind, number, sha256, size_bytes, media_type, variant, role
FROM kho.blob_reference WHERE document_uuid = $1 ORDER BY version, part_kind, number

-- name: result_of_document
-- $1 document uuids
SELECT r.document_uuid, d.document_id, d.agency_uuid, d.kind, d.state, d.version, c.code, c.code_key, c.public_code,
       r.type_code, r.issuer_uuid, r.issuer_code, r.outcome, r.number, r.number_key, r.issued_on, r.valid_from,
       r.valid_to, r.territory, r.subject, owners.owner_ids, owners.owner_keys,
       content.part_kind, content.number AS part_number, content.sha256, content.size_bytes, content.media_type,
       content.variant, content.role, verdict.indication, verdict.sub_indication,
       EXISTS (SELECT FROM kho.verification_task AS t
               WHERE t.document_uuid = d.document_uuid AND t.version = d.version AND t.started_at IS NOT NULL)
           AS is_verifying
FROM kho.result AS r
JOIN kho.result_code AS c USING (code_key)
JOIN kho.document AS d USING (document_uuid)
LEFT JOIN LATERAL (
    SELECT array_agg(o.owner_id ORDER BY o.ordinal) AS owner_ids, array_agg(o.owner_key ORDER BY o.ordinal) AS owner_keys
    FROM kho.result_owner AS o WHERE o.document_uuid = r.document_uuid) AS owners ON true
LEFT JOIN LATERAL (
    SELECT b.part_kind, b.number, b.sha256, b.size_bytes, b.media_type, b.variant, b.role
    FROM kho.blob_reference AS b
    WHERE b.document_uuid = r.document_uuid AND b.version = d.version
      AND (b.role = 'signed' OR (b.part_kind = 'page' AND b.number = 1 AND NOT EXISTS (
            SELECT FROM kho.blob_reference AS second
            WHERE second.document_uuid = r.document_uuid AND second.version = d.version
              AND second.part_kind = 'page' AND second.number = 2)))
    ORDER BY b.part_kind DESC, b.number DESC LIMIT 1) AS content ON true
LEFT JOIN LATERAL (
    SELECT v.indication, v.sub_indication FROM kho.verdict AS v
    WHERE v.document_uuid = r.document_uuid AND v.version = d.version
    ORDER BY v.judged_at DESC, v.verdict_id DESC LIMIT 1) AS verdict ON true
WHERE r.document_uuid = ANY($1::uuid[])

-- name: results_by_code
-- Results by result-code key or by public code, whoever's they are. Absent ones cost the same but for a few probes.
-- $1 keys
SELECT r.document_uuid, d.document_id, d.agency_uuid, d.kind, d.state, d.version, c.code, c.code_key, c.public_code,
       r.type_code, r.issuer_uuid, r.issuer_code, r.outcome, r.number, r.number_key, r.issued_on, r.valid_from,
       r.valid_to, r.territory, r.subject, owners.owner_ids, owners.owner_keys,
       content.part_kind, content.number AS part_number, content.sha256, content.size_bytes, content.media_type,
       content.variant, content.role, verdict.indication, verdict.sub_indication,
       EXISTS (SELECT FROM kho.verification_task AS t
               WHERE t.document_uuid = d.document_uuid AND t.version = d.version AND t.started_at IS NOT NULL)
           AS is_verifying
FROM kho.result AS r
JOIN kho.result_code AS c USING (code_key)
JOIN kho.document AS d USING (document_uuid)
LEFT JOIN LATERAL (
    SELECT array_agg(o.owner_id ORDER BY o.ordinal) AS owner_ids, array_agg(o.owner_key ORDER BY o.ordinal) AS owner_keys
    FROM kho.result_owner AS o WHERE o.document_uuid = r.document_uuid) AS owners ON true
LEFT JOIN LATERAL (
    SELECT b.part_kind, b.number, b.sha256, b.size_bytes, b.media_type, b.variant, b.role
    FROM kho.blob_reference AS b
    WHERE b.document_uuid = r.document_uuid AND b.version = d.version
      AND (b.role = 'signed' OR (b.part_kind = 'page' AND b.number = 1 AND NOT EXISTS (
            SELECT FROM kho.blob_reference AS second
            WHERE second.document_uuid = r.document_uuid AND second.version = d.version
              AND second.part_kind = 'page' AND second.number = 2)))
    ORDER BY b.part_kind DESC, b.number DESC LIMIT 1) AS content ON true
LEFT JOIN LATERAL (
    SELECT v.indication, v.sub_indication FROM kho.verdict AS v
    WHERE v.document_uuid = r.document_uuid AND v.version = d.version
    ORDER BY v.judged_at DESC, v.verdict_id DESC LIMIT 1) AS verdict ON true
WHERE r.code_key IN (
    SELECT named.code_key FROM kho.result_code AS named WHERE named.code_key = ANY($1::text[])
    UNION ALL
    SELECT named.code_key FROM kho.result_code AS named WHERE named.public_code = ANY($1::text[]))

-- name: referenced_digests
-- $1 digests
SELECT DISTINCT sha256 FROM kho.blob_reference WHERE sha256 = ANY($1::text[])

-- name: known_commits
-- $1 commit ids
SELECT commit_id FROM kho.document_version WHERE commit_id = ANY($1::uuid[])

-- name: latest_verdict
-- $1 document uuid, $2 version
SELECT verdict_id, version, sha256, indication, sub_indication, judged_at, engine_version, policy_version, report
FROM kho.verdict WHERE document_uuid = $1 AND version = $2
ORDER BY judged_at DESC, verdict_id DESC LIMIT 1

-- name: verdicts_of_document
-- $1 document uuid, $2 judged before or null, $3 id before, $4 how many
SELECT verdict_id, version, sha256, indication, sub_indication, judged_at, engine_version, policy_version, report
FROM kho.verdict
WHERE document_uuid = $1 AND ($2::timestamptz IS NULL OR (judged_at, verdict_id) < ($2, $3::uuid))
ORDER BY judged_at DESC, verdict_id DESC LIMIT $4

-- name: take_task
-- The task that is due longest and nobody holds; SKIP LOCKED lets several takers pass each other.
-- $1 now
UPDATE kho.verification_task AS t
SET started_at = $1
FROM (
    SELECT document_uuid, version FROM kho.verification_task
    WHERE due_at <= $1 AND started_at IS NULL
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) AS due
JOIN LATERAL (
    SELECT b.sha256, b.size_bytes FROM kho.blob_reference AS b
    WHERE b.document_uuid = due.document_uuid AND b.version = due.version AND b.role = 'signed'
    ORDER BY b.number DESC LIMIT 1) AS content ON true
WHERE t.document_uuid = due.document_uuid AND t.version = due.version
RETURNING t.document_uuid, t.version, t.attempts, content.sha256, content.size_bytes

-- name: postpone_task
-- Nothing was judged, so it was no attempt.
-- $1 document uuid, $2 version, $3 due at
UPDATE kho.verification_task SET due_at = $3, started_at = NULL
WHERE document_uuid = $1 AND version = $2

-- name: release_tasks
-- Gives back what a dead server held.
UPDATE kho.verification_task SET started_at = NULL WHERE started_at IS NOT NULL
