-- The database's own collation (oid 100) and the others that its columns, indexes and partition keys use: the version
-- that was recorded of each, and the one its provider has now. Locks: none.
SELECT 100::bigint                                                                  AS oid,
       'pg_catalog'                                                                 AS schema,
       'default'                                                                    AS name,
       d.datlocprovider::text                                                       AS provider,
       (CASE d.datlocprovider WHEN 'c' THEN d.datcollate ELSE d.datlocale END)::text    AS locale,
       true                                                                         AS is_deterministic,
       d.datcollversion                                                             AS version,
       pg_database_collation_actual_version(d.oid)                                  AS actual_version
FROM pg_database d
WHERE d.datname = current_database()
UNION ALL
SELECT c.oid::bigint, n.nspname::text, c.collname::text, c.collprovider::text,
       (CASE c.collprovider WHEN 'c' THEN c.collcollate ELSE c.colllocale END)::text, c.collisdeterministic,
       c.collversion, pg_collation_actual_version(c.oid)
FROM pg_collation c
JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE c.collprovider <> 'd'
  AND c.oid IN (
      SELECT a.attcollation FROM pg_attribute a WHERE a.attcollation <> 0 AND NOT a.attisdropped
      UNION
      SELECT unnest(p.partcollation) FROM pg_partitioned_table p
  )
ORDER BY 1
