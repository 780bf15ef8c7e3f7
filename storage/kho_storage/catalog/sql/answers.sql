-- name: find_answer
-- $1 scope, $2 request_id
SELECT scope, request_id, method, fingerprint, answer, answered_at
FROM kho.request_answer WHERE scope = $1 AND request_id = $2

-- name: keep_answer
-- $1 scope, $2 request_id, $3 method, $4 fingerprint, $5 answer, $6 answered_at
INSERT INTO kho.request_answer (scope, request_id, method, fingerprint, answer, answered_at)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: forget_answers
-- $1 instant
WITH forgotten AS (
    DELETE FROM kho.request_answer WHERE answered_at < $1 RETURNING 1
)
SELECT count(*) AS number FROM forgotten
