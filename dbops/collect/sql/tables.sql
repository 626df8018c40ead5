-- Tables, partitioned tables and materialised views outside the system schemas. Locks: none.
SELECT c.oid::bigint                                   AS oid,
       n.nspname::text                                 AS schema,
       c.relname::text                                 AS name,
       c.relkind::text                                 AS kind,
       c.relpersistence::text                          AS persistence,
       c.relispartition                                AS is_partition,
       i.inhparent::bigint                             AS parent_oid,
       EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid)                   AS has_children,
       pg_get_userbyid(c.relowner)::text               AS owner,
       nullif(c.reltuples, -1)::bigint                 AS row_estimate,
       c.relreplident::text                            AS replica_identity,
       coalesce(c.reloptions, '{}')::text[]            AS options,
       e.extname::text                                 AS extension,
       has_table_privilege(c.oid, 'SELECT')
           AND has_schema_privilege(n.oid, 'USAGE')    AS is_readable
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
LEFT JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p', 'm')
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY n.nspname, c.relname
