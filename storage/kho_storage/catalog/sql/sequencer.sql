-- name: lock_sequencer
-- One sequencer at a time in the whole database; the lock ends with the transaction, after its commit is visible.
SELECT pg_advisory_xact_lock(x'6B686F04'::int)

-- name: give_positions
-- $1 how many at most
WITH awaiting AS (
    SELECT event_id, row_number() OVER (ORDER BY at, event_id) AS ordinal
    FROM (SELECT event_id, at FROM kho.event WHERE position IS NULL ORDER BY at, event_id LIMIT $1) AS first_ones
), last_given AS (
    SELECT coalesce(max(position), 0) AS position FROM kho.event
)
UPDATE kho.event AS e
SET position = last_given.position + awaiting.ordinal
FROM awaiting, last_given
WHERE e.event_id = awaiting.event_id

-- name: awaiting
SELECT count(*) AS number, min(at) AS oldest_at FROM kho.event WHERE position IS NULL

-- name: events_after
-- How every reader reads: by position, never by time. $1 position, $2 limit
SELECT position, event_id, subject_kind, subject_id, kind, principal_id, officer_id, reason, at
FROM kho.event WHERE position > $1
ORDER BY position LIMIT $2
