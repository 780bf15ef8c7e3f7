-- name: find_store
-- Which store does this database belong to?
SELECT store_id, repository_id, access_key FROM kho.store

-- name: claim_store
-- Ties an empty database to a data folder; of two that try at once, one row stays.
-- $1 store id, $2 repository id, $3 key of access records, $4 instant
INSERT INTO kho.store (store_id, repository_id, access_key, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (is_only) DO NOTHING
