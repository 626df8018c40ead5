-- The defaults of those tables' columns, and what generated columns are computed from. What is printed from a stored
-- expression needs a lock on the table, so it is left out (NULL) for a table that is locked.
-- Locks: AccessShare on tables with defaults, given back at once; none on a table that is locked.
WITH locked AS MATERIALIZED (
    SELECT relation FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT d.adrelid::bigint                                                       AS table_oid,
       d.adnum::int                                                            AS number,
       CASE WHEN l.relation IS NULL THEN pg_get_expr(d.adbin, d.adrelid) END   AS expression
FROM pg_attrdef d
JOIN pg_class c ON c.oid = d.adrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN locked l ON l.relation = d.adrelid
WHERE c.relkind IN ('r', 'p')
  AND c.relpersistence <> 't'
  AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY d.adrelid, d.adnum
