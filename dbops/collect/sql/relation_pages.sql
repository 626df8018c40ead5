-- Tables, materialised views, TOAST tables and b-trees of 10 MB or more, as VACUUM or ANALYZE last counted them.
-- A b-tree keeps equal keys once where all its operator classes say that equal means identical (support function 4),
-- no collation says otherwise, and it has no INCLUDE columns. Locks: none.
SELECT c.oid::bigint                                       AS oid,
       coalesce(i.indrelid, o.oid, c.oid)::bigint          AS table_oid,
       c.relkind::text                                     AS kind,
       current_setting('block_size')::int                  AS page_bytes,
       c.relpages::bigint                                  AS pages,
       greatest(c.relpages - c.relallvisible, 0)::bigint   AS unsettled_pages,
       nullif(c.reltuples, -1)::bigint                     AS row_estimate,
       coalesce(c.reloptions, '{}')::text[]                AS options,
       i.indexrelid IS NOT NULL AND i.indnatts = i.indnkeyatts
           AND NOT EXISTS (SELECT FROM unnest(c.reloptions) AS o(option) WHERE o.option ~* '^deduplicate_items=(of|f|n|0)')
           AND NOT EXISTS (
               SELECT FROM unnest(i.indclass::oid[]) AS k(oid)
               JOIN pg_opclass oc ON oc.oid = k.oid
               WHERE NOT EXISTS (
                   SELECT FROM pg_amproc p
                   WHERE p.amprocfamily = oc.opcfamily AND p.amprocnum = 4
                     AND p.amproclefttype = oc.opcintype AND p.amprocrighttype = oc.opcintype
               )
           )
           AND NOT EXISTS (
               SELECT FROM unnest(i.indcollation::oid[]) AS k(oid)
               JOIN pg_collation co ON co.oid = k.oid
               WHERE NOT co.collisdeterministic
           )                                               AS is_deduplicated
FROM pg_class c
LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_class o ON o.reltoastrelid = c.oid AND c.relkind = 't'
LEFT JOIN pg_am am ON am.oid = c.relam
JOIN pg_namespace n ON n.oid = coalesce(o.relnamespace, c.relnamespace)
WHERE c.relkind IN ('r', 'm', 't', 'i')
  AND (c.relkind <> 'i' OR am.amname = 'btree')
  AND c.relpages >= 10 * 1024 * 1024 / current_setting('block_size')::int
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
