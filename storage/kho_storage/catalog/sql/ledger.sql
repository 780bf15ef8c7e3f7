-- name: insert_event
-- Writes an event and, beside it, what it says.
-- $1 event_id, $2 subject_kind, $3 subject_id, $4 kind, $5 principal_id, $6 officer_id, $7 reason, $8 at,
-- $9 commitment, $10 salt, $11 payload
WITH written AS (
    INSERT INTO kho.event (event_id, subject_kind, subject_id, kind, principal_id, officer_id, reason, at, commitment)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    RETURNING event_id
)
INSERT INTO kho.event_payload (event_id, salt, payload)
SELECT event_id, $10, $11 FROM written

-- name: all_events
-- Every event with its facts, in the one order of the repository, those without a position last by time.
SELECT e.kind,
       p.payload || jsonb_build_object(
           '_event_id', e.event_id, '_at', e.at, '_principal_id', e.principal_id, '_officer_id', e.officer_id,
           '_reason', e.reason) AS facts
FROM kho.event AS e
JOIN kho.event_payload AS p USING (event_id)
ORDER BY e.position NULLS LAST, e.at, e.event_id
