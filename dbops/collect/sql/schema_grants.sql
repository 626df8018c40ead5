-- The schemas outside the system's, and whether everybody may create in them. Locks: none.
WITH owners AS MATERIALIZED (
    SELECT relnamespace, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') GROUP BY 1, 2
), grants AS MATERIALIZED (
    SELECT n.oid, a.grantee
    FROM pg_namespace n
    CROSS JOIN LATERAL aclexplode(n.nspacl) a
    WHERE a.privilege_type = 'CREATE'
), open AS MATERIALIZED (
    SELECT oid FROM grants WHERE grantee = 0
)
SELECT n.nspname::text                                  AS schema,
       pg_get_userbyid(n.nspowner)::text                AS owner,
       e.extname::text                                  AS extension,
       n.oid IN (SELECT oid FROM open)                  AS is_open,
       CASE WHEN n.oid IN (SELECT oid FROM open) THEN ARRAY(
            SELECT pg_get_userbyid(o.relowner)::text
            FROM owners o
            WHERE o.relnamespace = n.oid
              AND NOT pg_has_role(o.relowner, n.nspowner, 'USAGE')
              AND NOT EXISTS (SELECT FROM grants g
                              WHERE g.oid = n.oid AND g.grantee <> 0 AND pg_has_role(o.relowner, g.grantee, 'USAGE'))
            ORDER BY 1
       ) ELSE '{}' END                                  AS creators
FROM pg_namespace n
LEFT JOIN pg_depend d ON d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e'
LEFT JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname
