-- name: ended_among
-- For the server's watch over open calls: which of these principals may call no longer. Uses the primary keys.
-- $1 principal ids, $2 instant
SELECT wanted.principal_id
FROM unnest($1::uuid[]) AS wanted (principal_id)
LEFT JOIN kho.principal AS principal ON principal.principal_id = wanted.principal_id
LEFT JOIN kho.agency AS agency ON agency.agency_uuid = principal.agency_uuid
WHERE principal.principal_id IS NULL
   OR principal.revoked_at IS NOT NULL
   OR principal.valid_to <= $2
   OR agency.revoked_at IS NOT NULL
ORDER BY wanted.principal_id
