-- Sequences, the identity ones too, with the columns that take their default from each: from its very values, that is; a
-- default that calculates with them (an operator in its tree, or a call, not a cast, of a function other than nextval,
-- whose oid is 1574) gives other keys.
-- Locks: none.
WITH fed AS (
    SELECT d.refobjid AS sequence, a.adrelid AS table_oid, a.adnum AS number
    FROM pg_depend d
    JOIN pg_attrdef a ON a.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'n'
      AND a.adbin::text !~ '[{](OPEXPR|FUNCEXPR :funcid (?!1574 )[0-9]+( :func[a-z]+ [0-9a-z]+){3} :funcformat 0) '
    UNION
    SELECT d.objid, d.refobjid, d.refobjsubid
    FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.deptype = 'i' AND d.refobjsubid > 0
), used_by AS (
    SELECT sequence, array_agg(ARRAY[table_oid::bigint, number::bigint] ORDER BY table_oid, number) AS columns
    FROM fed GROUP BY sequence
)
SELECT c.oid::bigint                                   AS oid,
       n.nspname::text                                 AS schema,
       c.relname::text                                 AS name,
       format_type(s.seqtypid, NULL)                   AS type,
       s.seqstart                                      AS start,
       s.seqmin                                        AS minimum,
       s.seqmax                                        AS maximum,
       s.seqincrement                                  AS increment,
       s.seqcycle                                      AS cycles,
       coalesce(used_by.columns, '{}')                 AS used_by,
       e.extname::text                                 AS extension,
       has_sequence_privilege(c.oid, 'SELECT')
           AND has_schema_privilege(n.oid, 'USAGE')    AS is_readable
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN used_by ON used_by.sequence = c.oid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
LEFT JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY n.nspname, c.relname
