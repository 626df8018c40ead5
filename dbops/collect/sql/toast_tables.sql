-- TOAST tables of the tables outside the system schemas, with their counters. Locks: none.
SELECT c.oid::bigint                                  AS table_oid,
       t.oid::bigint                                  AS oid,
       coalesce(t.reloptions, '{}')::text[]           AS options,
       nullif(t.reltuples, -1)::bigint                AS row_estimate,
       pg_stat_get_live_tuples(t.oid)                 AS live_rows,
       pg_stat_get_dead_tuples(t.oid)                 AS dead_rows
FROM pg_class c
JOIN pg_class t ON t.oid = c.reltoastrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
