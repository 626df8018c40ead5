-- What ANALYZE found in the columns of tables of 10 MB or more, in the keys of b-trees of 1 MB or more, and in the
-- expressions of those of 10 MB or more. No value of a row is among it. pg_stats hides columns that the role may not
-- SELECT, and all of a table with row-level security that applies to it. Locks: none.
WITH large AS MATERIALIZED (
    SELECT c.oid, c.relname, c.relkind, c.relrowsecurity, n.nspname,
           c.relpages::bigint * current_setting('block_size')::bigint AS size_bytes
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_am am ON am.oid = c.relam
    WHERE c.relkind IN ('r', 'm', 'i')
      AND (c.relkind <> 'i' OR am.amname = 'btree')
      AND c.relpages >= 1024 * 1024 / current_setting('block_size')::int
      AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
), wanted AS MATERIALIZED (
    SELECT l.oid, a.attnum
    FROM large l JOIN pg_attribute a ON a.attrelid = l.oid
    WHERE l.relkind IN ('r', 'm') AND l.size_bytes >= 10 * 1024 * 1024
    UNION
    SELECT i.indrelid, k.attnum
    FROM large l JOIN pg_index i ON i.indexrelid = l.oid, unnest(i.indkey::int2[]) AS k(attnum)
    UNION
    SELECT l.oid, a.attnum
    FROM large l JOIN pg_index i ON i.indexrelid = l.oid JOIN pg_attribute a ON a.attrelid = l.oid
    WHERE l.size_bytes >= 10 * 1024 * 1024 AND i.indkey[a.attnum - 1] = 0
), named AS MATERIALIZED (
    SELECT c.oid, c.relname, c.relrowsecurity, a.attnum, a.attlen, a.attalign,
           ROW(n.nspname, c.relname, a.attname)::text AS name
    FROM wanted w
    JOIN pg_class c ON c.oid = w.oid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum = w.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
), known AS MATERIALIZED (
    SELECT s.null_frac, s.n_distinct, s.avg_width, s.most_common_freqs,
           ROW(s.schemaname, s.tablename, s.attname)::text AS name
    FROM pg_stats s
    WHERE s.tablename = ANY (ARRAY(SELECT relname FROM named)) AND NOT s.inherited
)
SELECT w.oid::bigint                             AS relation_oid,
       w.attnum::int                             AS column,
       w.attlen::int                             AS length,
       w.attalign::text                          AS alignment,
       has_column_privilege(w.oid, w.attnum, 'SELECT')
           AND NOT (w.relrowsecurity AND row_security_active(w.oid))    AS is_visible,
       s.null_frac::float8                       AS null_ratio,
       s.n_distinct::float8                      AS distinct_values,
       s.avg_width::int                          AS width_bytes,
       s.most_common_freqs[1:10]::float8[]       AS frequencies,
       cardinality(s.most_common_freqs)::int     AS frequent_values
FROM named w
LEFT JOIN known s ON s.name = w.name
ORDER BY w.oid, w.attnum
