-- The server and this session. Locks: none.
-- Read while the search path is still the role's own, so every name is written in full: nobody's function stands in.
SELECT pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1)                        AS version,
       pg_catalog.current_setting('server_version_num')::int                                             AS version_num,
       pg_catalog.current_database()::pg_catalog.text                                                    AS database,
       pg_catalog.pg_is_in_recovery()                                                                    AS is_standby,
       current_user::pg_catalog.text                                                                     AS role,
       session_user::pg_catalog.text                                                                     AS session_role,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user)      AS is_superuser,
       pg_catalog.pg_has_role(current_user, 'pg_monitor', 'USAGE')                                       AS is_monitor,
       pg_catalog.current_schemas(false)::pg_catalog.text[]                                              AS search_path,
       CASE
           WHEN EXISTS (SELECT FROM pg_catalog.pg_proc p
                        WHERE p.proname OPERATOR(pg_catalog.=) 'aurora_version'
                          AND p.pronamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace) THEN 'aurora'
           WHEN pg_catalog.current_setting('neon.timeline_id', true) OPERATOR(pg_catalog.<>) '' THEN 'neon'
           ELSE (SELECT pg_catalog.min(known.provider)
                 FROM pg_catalog.pg_roles r
                 JOIN (VALUES ('rds_superuser', 'rds'), ('cloudsqlsuperuser', 'cloudsql'), ('supabase_admin', 'supabase'),
                              ('azure_pg_admin', 'azure')) AS known (role, provider)
                   ON r.rolname OPERATOR(pg_catalog.=) known.role::pg_catalog.name)
       END                                                                                               AS provider,
       pg_catalog.clock_timestamp()                                                                      AS observed_at
