-- How events of documents, results and verdicts become what is. One argument each: $1 the event's facts (jsonb).
-- The order in which concurrent events commit must not matter, for rebuild applies them in order of position.

-- name: code_taken
-- A document has a code from now on.
INSERT INTO kho.result_code
    (code_key, code, public_code, agency_uuid, document_id, prefix_key, sequence, reserved_at)
SELECT f ->> 'key', f ->> 'code', f ->> 'public_code', (f ->> 'agency_uuid')::uuid, (f ->> 'document_id')::uuid,
       f ->> 'prefix_key', (f ->> 'sequence')::bigint, (f ->> '_at')::timestamptz
FROM (SELECT $1::jsonb AS f) AS facts

-- name: document_sealed
-- The dossier is known; the earliest naming counts, whichever commits first.
INSERT INTO kho.dossier (code_key, code, procedure_key, procedure_code, agency_uuid, first_seen_at)
SELECT f ->> 'dossier_key', f ->> 'dossier_code', f ->> 'procedure_key', f ->> 'procedure_code',
       (f ->> 'agency_uuid')::uuid, (f ->> '_at')::timestamptz
FROM (SELECT $1::jsonb AS f) AS facts
ON CONFLICT (agency_uuid, code_key) DO UPDATE
SET code = excluded.code, procedure_code = excluded.procedure_code,
    first_seen_at = excluded.first_seen_at
WHERE (excluded.first_seen_at, excluded.code, excluded.procedure_code)
      < (dossier.first_seen_at, dossier.code, dossier.procedure_code)

-- name: document_sealed_2
-- The document itself.
INSERT INTO kho.document
    (document_uuid, agency_uuid, document_id, kind, lane, dossier_key, copy_form, copy_of, version, state, created_at)
SELECT (f ->> 'document_uuid')::uuid, (f ->> 'agency_uuid')::uuid, (f ->> 'document_id')::uuid, f ->> 'kind',
       f ->> 'lane', f ->> 'dossier_key', f ->> 'copy_form', (f ->> 'copy_of')::uuid, 1, 'RECEIVED',
       (f ->> '_at')::timestamptz
FROM (SELECT $1::jsonb AS f) AS facts

-- name: document_sealed_3
-- What was decided, if anything was.
INSERT INTO kho.result
    (document_uuid, code_key, type_code, issuer_uuid, issuer_code, outcome, number, number_key, issued_on, valid_from,
     valid_to, territory, subject)
SELECT (f ->> 'document_uuid')::uuid, r ->> 'code_key', r ->> 'type_code', (r ->> 'issuer_uuid')::uuid,
       r ->> 'issuer_code', r ->> 'outcome', r ->> 'number', r ->> 'number_key', (r ->> 'issued_on')::date,
       (r ->> 'valid_from')::date, (r ->> 'valid_to')::date, r ->> 'territory', r ->> 'subject'
FROM (SELECT $1::jsonb AS f, $1::jsonb -> 'result' AS r) AS facts
WHERE jsonb_typeof(r) = 'object'

-- name: document_sealed_4
-- Whose it is.
INSERT INTO kho.result_owner (document_uuid, ordinal, owner_id, owner_key)
SELECT ($1::jsonb ->> 'document_uuid')::uuid, ordinal, owner ->> 'owner_id', owner ->> 'key'
FROM jsonb_path_query_array($1::jsonb, '$.result.owners[*]') AS owners,
     jsonb_array_elements(owners) WITH ORDINALITY AS listed (owner, ordinal)

-- name: document_sealed_5
-- The first version.
INSERT INTO kho.document_version
    (document_uuid, version, commit_id, reason, reason_text, officer_id, station, scanned_at, sealed_at, sheets, pages,
     manifest_sha256, manifest_bytes)
SELECT (f ->> 'document_uuid')::uuid, v.version, v.commit_id, v.reason, v.reason_text, v.officer_id, v.station,
       v.scanned_at, v.sealed_at, v.sheets, v.pages, v.manifest_sha256, v.manifest_bytes
FROM (SELECT $1::jsonb AS f) AS facts,
     jsonb_to_record(f -> 'version') AS v (
        version int, commit_id uuid, reason text, reason_text text, officer_id text, station text,
        scanned_at timestamptz, sealed_at timestamptz, sheets int, pages int, manifest_sha256 text,
        manifest_bytes bigint)

-- name: document_sealed_6
-- The bytes it needs, and the task to judge them.
WITH parts AS (
    INSERT INTO kho.blob_reference
        (document_uuid, version, part_kind, number, sha256, size_bytes, media_type, variant, role)
    SELECT (f ->> 'document_uuid')::uuid, (f -> 'version' ->> 'version')::int, p.part_kind, p.number, p.sha256,
           p.size_bytes, p.media_type, p.variant, p.role
    FROM (SELECT $1::jsonb AS f) AS facts,
         jsonb_to_recordset(f -> 'parts') AS p (
            part_kind text, number int, sha256 text, size_bytes bigint, media_type text, variant text, role text)
)
INSERT INTO kho.verification_task (document_uuid, version, due_at)
SELECT (f ->> 'document_uuid')::uuid, (f -> 'version' ->> 'version')::int, (f ->> '_at')::timestamptz
FROM (SELECT $1::jsonb AS f) AS facts
WHERE (f ->> 'needs_verification')::boolean

-- name: version_sealed
-- A later version.
INSERT INTO kho.document_version
    (document_uuid, version, commit_id, reason, reason_text, officer_id, station, scanned_at, sealed_at, sheets, pages,
     manifest_sha256, manifest_bytes)
SELECT (f ->> 'document_uuid')::uuid, v.version, v.commit_id, v.reason, v.reason_text, v.officer_id, v.station,
       v.scanned_at, v.sealed_at, v.sheets, v.pages, v.manifest_sha256, v.manifest_bytes
FROM (SELECT $1::jsonb AS f) AS facts,
     jsonb_to_record(f -> 'version') AS v (
        version int, commit_id uuid, reason text, reason_text text, officer_id text, station text,
        scanned_at timestamptz, sealed_at timestamptz, sheets int, pages int, manifest_sha256 text,
        manifest_bytes bigint)

-- name: version_sealed_2
-- The bytes it needs, and the task to judge them.
WITH parts AS (
    INSERT INTO kho.blob_reference
        (document_uuid, version, part_kind, number, sha256, size_bytes, media_type, variant, role)
    SELECT (f ->> 'document_uuid')::uuid, (f -> 'version' ->> 'version')::int, p.part_kind, p.number, p.sha256,
           p.size_bytes, p.media_type, p.variant, p.role
    FROM (SELECT $1::jsonb AS f) AS facts,
         jsonb_to_recordset(f -> 'parts') AS p (
            part_kind text, number int, sha256 text, size_bytes bigint, media_type text, variant text, role text)
), old_task AS (
    DELETE FROM kho.verification_task WHERE document_uuid = ($1::jsonb ->> 'document_uuid')::uuid
)
INSERT INTO kho.verification_task (document_uuid, version, due_at)
SELECT (f ->> 'document_uuid')::uuid, (f -> 'version' ->> 'version')::int, (f ->> '_at')::timestamptz
FROM (SELECT $1::jsonb AS f) AS facts
WHERE (f ->> 'needs_verification')::boolean

-- name: version_sealed_3
-- The document stands at this version, not judged yet. What came back from a backup waits for its confirmation.
UPDATE kho.document
SET version = ($1::jsonb -> 'version' ->> 'version')::int,
    state = CASE state WHEN 'RESTORED_UNCONFIRMED' THEN state ELSE 'RECEIVED' END
WHERE document_uuid = ($1::jsonb ->> 'document_uuid')::uuid

-- name: verdict_appended
-- One more judgement.
INSERT INTO kho.verdict
    (verdict_id, document_uuid, version, sha256, indication, sub_indication, judged_at, engine_version, policy_version,
     report)
SELECT v.verdict_id, v.document_uuid, v.version, v.sha256, v.indication, v.sub_indication, v.judged_at,
       v.engine_version, v.policy_version, v.report
FROM jsonb_to_record($1::jsonb) AS v (
    verdict_id uuid, document_uuid uuid, version int, sha256 text, indication text, sub_indication text,
    judged_at timestamptz, engine_version text, policy_version text, report jsonb)

-- name: verdict_appended_2
-- The document stands where its newest judgement of its newest version puts it. That its signatures are good does not
-- say that it was not recalled after the backup from which it came back.
UPDATE kho.document AS d
SET state = $1::jsonb ->> 'state'
WHERE d.document_uuid = ($1::jsonb ->> 'document_uuid')::uuid
  AND d.version = ($1::jsonb ->> 'version')::int
  AND d.state <> 'RESTORED_UNCONFIRMED'
  AND NOT EXISTS (
    SELECT FROM kho.verdict AS later
    WHERE later.document_uuid = d.document_uuid AND later.version = d.version
      AND (later.judged_at, later.verdict_id)
          > (($1::jsonb ->> 'judged_at')::timestamptz, ($1::jsonb ->> 'verdict_id')::uuid))

-- name: verdict_appended_3
-- Judged, if this is the newest judgement of the newest version: nothing is left to do, or all of it again later. A
-- document that was judged before has no task any more and gets one.
WITH newest AS (
    SELECT d.document_uuid, d.version, ($1::jsonb ->> 'judge_again_at')::timestamptz AS again_at
    FROM kho.document AS d
    WHERE d.document_uuid = ($1::jsonb ->> 'document_uuid')::uuid
      AND d.version = ($1::jsonb ->> 'version')::int
      AND NOT EXISTS (
        SELECT FROM kho.verdict AS later
        WHERE later.document_uuid = d.document_uuid AND later.version = d.version
          AND (later.judged_at, later.verdict_id)
              > (($1::jsonb ->> 'judged_at')::timestamptz, ($1::jsonb ->> 'verdict_id')::uuid))
), done AS (
    DELETE FROM kho.verification_task AS t USING newest
    WHERE t.document_uuid = newest.document_uuid AND t.version = newest.version AND newest.again_at IS NULL
)
INSERT INTO kho.verification_task AS t (document_uuid, version, due_at, attempts)
SELECT document_uuid, version, again_at, 1 FROM newest WHERE again_at IS NOT NULL
ON CONFLICT (document_uuid, version)
DO UPDATE SET due_at = excluded.due_at, attempts = t.attempts + 1, started_at = NULL

-- name: store_restored
-- All that comes from before waits for its confirmation; what was refused stays refused.
UPDATE kho.document SET state = 'RESTORED_UNCONFIRMED' FROM (SELECT $1::jsonb AS f) AS facts WHERE state <> 'INVALID'

-- name: store_restored_2
DELETE FROM kho.verification_task USING (SELECT $1::jsonb AS f) AS facts

-- name: restore_confirmed
-- Signatures are judged afresh, so many a second, for new documents must not wait behind all the old ones.
INSERT INTO kho.verification_task AS t (document_uuid, version, due_at)
SELECT d.document_uuid, d.version,
       (f ->> '_at')::timestamptz
       + make_interval(secs => row_number() OVER (ORDER BY d.document_uuid) / (f ->> 'judged_per_s')::float8)
FROM (SELECT $1::jsonb AS f) AS facts, kho.document AS d
WHERE d.state = 'RESTORED_UNCONFIRMED'
  AND EXISTS (
    SELECT FROM kho.blob_reference AS b
    WHERE b.document_uuid = d.document_uuid AND b.version = d.version AND b.role = 'signed')
ON CONFLICT (document_uuid, version)
DO UPDATE SET due_at = excluded.due_at, attempts = 0, started_at = NULL

-- name: restore_confirmed_2
UPDATE kho.document SET state = 'RECEIVED' FROM (SELECT $1::jsonb AS f) AS facts WHERE state = 'RESTORED_UNCONFIRMED'
