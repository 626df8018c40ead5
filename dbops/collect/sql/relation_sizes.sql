-- Bytes on disk of those tables (TOAST and maps included) and their indexes. A size needs a lock for a moment, so a
-- relation that is locked has none. Locks: AccessShare on each relation, given back at once.
WITH locked AS MATERIALIZED (
    SELECT relation FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT c.oid::bigint AS oid,
       CASE WHEN c.oid IN (SELECT relation FROM locked) OR c.reltoastrelid IN (SELECT relation FROM locked) THEN NULL
            WHEN c.relkind = 'i' THEN pg_relation_size(c.oid)
            ELSE pg_table_size(c.oid)
       END         AS size_bytes
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'i')
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
