-- Functions and procedures that run with their owner's rights, extensions' left out. Locks: none.
SELECT p.oid::bigint                                    AS oid,
       n.nspname::text                                  AS schema,
       p.proname::text                                  AS name,
       oidvectortypes(p.proargtypes)                    AS arguments,
       p.prokind::text                                  AS kind,
       l.lanname::text                                  AS language,
       r.rolname::text                                  AS owner,
       r.rolsuper                                       AS is_owned_by_superuser,
       p.prosqlbody IS NOT NULL                         AS is_parsed,
       p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype)
           OR EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                      WHERE a.grantee <> p.proowner)    AS is_callable,
       (SELECT substr(setting, length('search_path=') + 1)
        FROM unnest(p.proconfig) setting
        WHERE setting LIKE 'search\_path=%')            AS search_path
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
JOIN pg_roles r ON r.oid = p.proowner
WHERE p.prosecdef
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY n.nspname, p.proname, 4
