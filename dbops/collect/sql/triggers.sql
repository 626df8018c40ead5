-- The triggers that somebody made on those tables; a constraint's own, and those that partitions get from their table,
-- are left out. Locks: none.
SELECT g.tgrelid::bigint      AS table_oid,
       g.tgname::text         AS name,
       g.tgenabled::text      AS enabled
FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT g.tgisinternal
  AND g.tgparentid = 0
  AND c.relkind IN ('r', 'p')
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY g.tgrelid, g.tgname
