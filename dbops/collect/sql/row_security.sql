-- The tables that have policies or row-level security. Locks: none.
SELECT c.oid::bigint                                    AS table_oid,
       c.relrowsecurity                                 AS is_enabled,
       c.relforcerowsecurity                            AS is_forced
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND c.relpersistence <> 't'
  AND (c.relrowsecurity OR c.oid IN (SELECT polrelid FROM pg_policy))
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY n.nspname, c.relname
