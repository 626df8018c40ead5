-- Relations that somebody holds, or waits for, in AccessExclusive mode: whoever reads them now waits.
-- A table's lock covers what belongs to it, for our purposes its indexes. Locks: none.
SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid IN (
    SELECT relation FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
ORDER BY 2, 3
