-- The columns of those tables. A domain's base_type is what lies under it, however deep. Locks: none.
WITH RECURSIVE underlying AS (
    SELECT oid, oid AS base, typtype, typbasetype FROM pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT u.oid, t.oid, t.typtype, t.typbasetype
    FROM underlying u JOIN pg_type t ON t.oid = u.typbasetype AND u.typtype = 'd'
), held AS (
    -- What makes ALTER TYPE refuse: views and rules, triggers, policies, functions with a parsed body, the conditions of
    -- publications, and other columns that are generated from it.
    SELECT d.refobjid AS table_oid, d.refobjsubid AS number,
           array_agg(DISTINCT CASE WHEN g.oid IS NULL
               THEN regexp_replace(pg_describe_object(d.classid, d.objid, 0), '^rule "?_RETURN"? on ', '')
               ELSE 'the column generated from it'
           END) AS by
    FROM pg_depend d
    LEFT JOIN pg_attrdef g ON d.classid = 'pg_attrdef'::regclass AND g.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      AND (d.classid IN ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass,
                         'pg_publication_rel'::regclass)
           OR g.adrelid = d.refobjid AND g.adnum <> d.refobjsubid)
    GROUP BY d.refobjid, d.refobjsubid
)
SELECT a.attrelid::bigint                                         AS table_oid,
       a.attnum::int                                              AS number,
       a.attname::text                                            AS name,
       format_type(a.atttypid, a.atttypmod)                       AS type,
       format_type(coalesce(u.base, a.atttypid), NULL)            AS base_type,
       a.attcollation::bigint                                     AS collation,
       a.attnotnull                                               AS is_not_null,
       a.attidentity::text                                        AS identity,
       a.attgenerated::text                                       AS generated,
       a.attinhcount > 0                                          AS is_inherited,
       c.relkind = 'p' AND EXISTS (
           SELECT FROM pg_depend d
           WHERE d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum
             AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = 0
             AND d.deptype = 'i'
       )                                                          AS is_partition_key,
       coalesce(held.by, '{}')                                    AS held_by,
       has_column_privilege(a.attrelid, a.attnum, 'SELECT')
           AND has_schema_privilege(n.oid, 'USAGE')               AS is_readable
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN underlying u ON u.oid = a.atttypid AND u.typtype <> 'd'
LEFT JOIN held ON held.table_oid = a.attrelid AND held.number = a.attnum
WHERE c.relkind IN ('r', 'p', 'm')
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND a.attnum > 0 AND NOT a.attisdropped
