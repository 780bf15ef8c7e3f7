-- Statements about work that has piled up, for those who watch; asked every few seconds, for ever.

-- name: verification_backlog
-- Versions that nobody has judged yet and when the first of them was sealed; versions that were judged and wait for
-- evidence. A task that was only put off has had no attempt. Only the first kind, which is few, meets its versions.
SELECT unjudged.number AS unjudged, unjudged.oldest_at,
       (SELECT count(*) FROM kho.verification_task WHERE attempts > 0) AS undecided
FROM (
    SELECT count(*) AS number, min(v.sealed_at) AS oldest_at
    FROM kho.verification_task AS t
    JOIN kho.document_version AS v ON v.document_uuid = t.document_uuid AND v.version = t.version
    WHERE t.attempts = 0) AS unjudged
