-- Views and foreign tables outside the system schemas. Locks: none.
SELECT n.nspname::text        AS schema,
       c.relname::text        AS name,
       c.relkind::text        AS kind
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'f')
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY n.nspname, c.relname
