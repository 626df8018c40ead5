-- The indexes of those tables, and invalid ones of their TOAST tables. What is printed from a stored expression needs a
-- lock on the table, so it is left out (NULL) for a table that is locked; a plain column needs none. Locks: AccessShare on
-- tables with expression or partial indexes, given back at once.
-- Printing a definition takes the server a look-up for each name in it, which is most of the time among many thousands of
-- indexes. So those of plain b-trees are put together here, letter by letter as pg_get_indexdef() has them.
-- Whoever builds, rebuilds or drops an index concurrently holds ShareUpdateExclusive all the time: on the table, and when
-- rebuilding or dropping on the index too. VACUUM and ANALYZE hold it on the table as well; then the progress view tells.
WITH locked AS MATERIALIZED (
    SELECT relation FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), busy AS MATERIALIZED (
    SELECT relation FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'ShareUpdateExclusiveLock' AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), building AS MATERIALIZED (
    SELECT relid FROM pg_stat_progress_create_index WHERE datname = current_database()
), told AS MATERIALIZED (
    SELECT NOT pg_is_in_recovery() AS locks, pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS progress
)
SELECT i.indexrelid::bigint                            AS oid,
       i.indrelid::bigint                              AS table_oid,
       CASE WHEN t.relkind = 't' THEN (SELECT o.oid FROM pg_class o WHERE o.reltoastrelid = t.oid) END::bigint
                                                       AS toast_of,
       n.nspname::text                                 AS schema,
       c.relname::text                                 AS name,
       c.relkind::text                                 AS kind,
       am.amname::text                                 AS method,
       i.indkey::int[]                                 AS columns,
       i.indnkeyatts::int                              AS key_count,
       i.indclass::bigint[]                            AS operator_classes,
       i.indcollation::bigint[]                        AS collations,
       i.indoption::int[]                              AS options,
       i.indisunique                                   AS is_unique,
       i.indnullsnotdistinct                           AS nulls_not_distinct,
       i.indisprimary                                  AS is_primary,
       i.indisexclusion                                AS is_exclusion,
       i.indimmediate                                  AS is_immediate,
       i.indisclustered                                AS is_clustered,
       i.indisreplident                                AS is_replica_identity,
       i.indisvalid                                    AS is_valid,
       i.indisready                                    AS is_ready,
       i.indislive                                     AS is_live,
       i.indpred IS NOT NULL                           AS is_partial,
       i.indexprs IS NOT NULL                          AS has_expressions,
       CASE WHEN l.relation IS NULL THEN pg_get_expr(i.indpred, i.indrelid) END       AS predicate,
       CASE WHEN l.relation IS NULL THEN pg_get_expr(i.indexprs, i.indrelid) END      AS expressions,
       CASE WHEN l.relation IS NOT NULL THEN NULL
            WHEN plain.count < i.indnatts THEN pg_get_indexdef(i.indexrelid)
            ELSE format('CREATE %sINDEX %I ON %s%I.%I USING btree (%s)', CASE WHEN i.indisunique THEN 'UNIQUE ' END,
                        c.relname, CASE c.relkind WHEN 'I' THEN 'ONLY ' END, n.nspname, t.relname, plain.keys)
       END                                             AS definition,
       con.oid::bigint                                 AS constraint_oid,
       h.inhparent::bigint                             AS parent_oid,
       CASE WHEN i.indisvalid THEN false
            WHEN NOT told.locks THEN NULL
            WHEN i.indexrelid IN (SELECT relation FROM busy) THEN true
            WHEN i.indrelid NOT IN (SELECT relation FROM busy) THEN false
            WHEN told.progress THEN i.indrelid IN (SELECT relid FROM building)
       END                                             AS is_being_built
FROM pg_index i
CROSS JOIN told
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_am am ON am.oid = c.relam
LEFT JOIN locked l ON l.relation = i.indrelid
LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid AND con.contype IN ('p', 'u', 'x')
LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
CROSS JOIN LATERAL (
    SELECT count(*) AS count, string_agg(
               concat(quote_ident(a.attname),
                      CASE WHEN NOT o.opcdefault THEN ' ' || quote_ident(o.opcname) END,
                      CASE k.option WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' WHEN 3 THEN ' DESC' END),
               ', ' ORDER BY k.place) AS keys
    FROM unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[], i.indoption::int2[])
        WITH ORDINALITY k(attribute, class, collated, option, place)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attribute AND k.collated IN (0, a.attcollation)
    JOIN pg_opclass o ON o.oid = k.class AND (
        o.opcdefault AND o.opcintype = CASE a.atttypid WHEN 'varchar'::regtype THEN 'text'::regtype ELSE a.atttypid END
        OR NOT o.opcdefault AND o.opcnamespace = 'pg_catalog'::regnamespace)
    WHERE am.amname = 'btree' AND i.indpred IS NULL AND NOT i.indnullsnotdistinct AND c.reloptions IS NULL
) plain
WHERE t.relkind IN ('r', 'p', 'm', 't')
  AND (t.relkind <> 't' OR NOT i.indisvalid)
  AND t.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY n.nspname, t.relname, c.relname
