-- The server and this session. Locks: none.
-- Read while the search path is still the role's own, so every name is written in full: nobody's function stands in.
SELECT pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1)                        AS version,
       pg_catalog.current_setting('server_version_num')::int                                             AS version_num,
       pg_catalog.current_database()::pg_catalog.text                                                    AS database,
       pg_catalog.pg_database_size(pg_catalog.current_database())                                        AS database_size_bytes,
       pg_catalog.current_setting('server_encoding')                                                     AS encoding,
       pg_catalog.pg_is_in_recovery()                                                                    AS is_standby,
       current_user::pg_catalog.text                                                                     AS role,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user)      AS is_superuser,
       pg_catalog.pg_has_role(current_user, 'pg_monitor', 'USAGE')                                       AS is_monitor,
       pg_catalog.current_schemas(false)::pg_catalog.text[]                                              AS search_path,
       pg_catalog.pg_postmaster_start_time()                                                             AS started_at,
       pg_catalog.clock_timestamp()                                                                      AS observed_at
