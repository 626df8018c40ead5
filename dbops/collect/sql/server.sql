-- The server and this session. Locks: none.
SELECT split_part(current_setting('server_version'), ' ', 1)               AS version,
       current_setting('server_version_num')::int                         AS version_num,
       current_database()::text                                           AS database,
       pg_database_size(current_database())                               AS database_size_bytes,
       current_setting('server_encoding')                                 AS encoding,
       pg_is_in_recovery()                                                AS is_standby,
       current_user::text                                                 AS role,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)       AS is_superuser,
       pg_has_role(current_user, 'pg_monitor', 'USAGE')                   AS is_monitor,
       current_schemas(false)::text[]                                     AS search_path,
       pg_postmaster_start_time()                                         AS started_at,
       clock_timestamp()                                                  AS observed_at
