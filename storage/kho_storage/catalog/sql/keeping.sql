-- name: events_from
-- Events of a segment with what they say; nulls where it was erased. $1 position before, $2 how many
SELECT e.position, e.event_id, e.subject_kind, e.subject_id, e.kind, e.principal_id, e.officer_id, e.reason, e.at,
       e.commitment, p.salt, p.payload
FROM kho.event AS e
LEFT JOIN kho.event_payload AS p USING (event_id)
WHERE e.position > $1
ORDER BY e.position LIMIT $2

-- name: event_at
-- Whether the database knows the event that the store has at a position. $1 position
SELECT event_id FROM kho.event WHERE position = $1

-- name: last_position
SELECT coalesce(max(position), 0) FROM kho.event

-- name: standing
-- What a snapshot holds, for the record of a backup.
SELECT (SELECT coalesce(max(position), 0) FROM kho.event) AS position,
       (SELECT count(*) FROM kho.event WHERE position IS NULL) AS events_waiting,
       (SELECT max(at) FROM kho.event) AS last_event_at,
       (SELECT count(*) FROM kho.document) AS documents,
       (SELECT count(*) FROM kho.upload) AS uploads_open,
       (SELECT max(number) FROM public.kho_migration) AS schema,
       current_setting('server_version_num')::int / 10000 AS postgres_major,
       transaction_timestamp() AS at

-- name: referenced_blobs
-- Every blob that some version needs, in the order of the folders they lie in.
SELECT DISTINCT sha256 COLLATE "C" AS sha256, size_bytes FROM kho.blob_reference ORDER BY 1

-- name: sealed_manifests
-- Every manifest that was sealed and acknowledged.
SELECT d.agency_uuid, d.document_id, d.document_uuid, v.version, v.commit_id, v.manifest_sha256, v.manifest_bytes
FROM kho.document_version AS v
JOIN kho.document AS d USING (document_uuid)
ORDER BY d.agency_uuid, d.document_id, v.version

-- name: manifest_of_commit
-- $1 commit id
SELECT d.document_uuid, v.manifest_sha256
FROM kho.document_version AS v
JOIN kho.document AS d USING (document_uuid)
WHERE v.commit_id = $1

-- name: parts_of_version
-- $1 document, $2 version
SELECT part_kind, number, sha256, size_bytes FROM kho.blob_reference WHERE document_uuid = $1 AND version = $2
ORDER BY part_kind, number

-- name: gaps
-- Positions are 1, 2, 3, ...: what is missing, at most a hundred of them.
SELECT missing FROM generate_series(1, (SELECT coalesce(max(position), 0) FROM kho.event)) AS missing
WHERE NOT EXISTS (SELECT FROM kho.event WHERE position = missing)
LIMIT 100

-- name: all_said
-- Every event with what it says, to compare with its commitment.
SELECT e.event_id, e.position, e.commitment, p.salt, p.payload
FROM kho.event AS e
JOIN kho.event_payload AS p USING (event_id)
ORDER BY e.position

-- name: states
SELECT state, count(*) AS number FROM kho.document GROUP BY state

-- name: lock_events
-- Until the end of the transaction nobody else writes an event; those under way have ended.
LOCK TABLE kho.event IN SHARE ROW EXCLUSIVE MODE

-- name: tasks
SELECT count(*) FROM kho.verification_task

-- name: versions_of_commits
-- What the rows say of commits, with SHA-256 and size of each part. $1 commit ids
SELECT v.commit_id, v.document_uuid, v.version, v.manifest_sha256, v.manifest_bytes,
       coalesce((SELECT jsonb_agg(jsonb_build_array(b.sha256, b.size_bytes)) FROM kho.blob_reference AS b
                 WHERE b.document_uuid = v.document_uuid AND b.version = v.version), '[]') AS parts
FROM kho.document_version AS v
WHERE v.commit_id = ANY ($1::uuid[])

-- name: events_between
-- $1 first position, $2 last
SELECT e.position, e.event_id, e.subject_kind, e.subject_id, e.kind, e.principal_id, e.officer_id, e.reason, e.at,
       e.commitment, p.salt, p.payload
FROM kho.event AS e
LEFT JOIN kho.event_payload AS p USING (event_id)
WHERE e.position BETWEEN $1 AND $2
ORDER BY e.position

-- name: oldest_after
-- Since when events wait to be written into the store. $1 position
SELECT count(*) AS number, min(at) AS at FROM kho.event WHERE position > $1

-- name: newest_version
-- $1 document
SELECT version FROM kho.document WHERE document_uuid = $1

-- name: is_agency
-- $1 agency
SELECT true FROM kho.agency WHERE agency_uuid = $1

-- name: has_code
-- $1 agency, $2 client-made id of a document
SELECT true FROM kho.result_code WHERE agency_uuid = $1 AND document_id = $2

-- name: document_of_client
-- $1 agency, $2 client-made id of a document
SELECT document_uuid FROM kho.document WHERE agency_uuid = $1 AND document_id = $2

-- name: has_events
SELECT EXISTS (SELECT FROM kho.event)

-- name: insert_said
-- $1 event id, $2 salt, $3 payload
INSERT INTO kho.event_payload (event_id, salt, payload) VALUES ($1, $2, $3)

-- name: is_empty
-- Whether a database is free to be filled from a dump, and of which PostgreSQL.
SELECT current_setting('server_version_num')::int / 10000 AS major,
       to_regnamespace('kho') IS NULL AND to_regclass('public.kho_migration') IS NULL AS is_empty
