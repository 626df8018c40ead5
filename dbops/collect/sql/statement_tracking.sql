-- What pg_stat_statements is here; what it holds is read once its schema is known. Locks: none.
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements')  AS is_available,
       n.nspname::text                                                                AS schema,
       e.extversion                                                                   AS version,
       current_setting('pg_stat_statements.max', true) <> ''                          AS is_loaded,
       nullif(current_setting('pg_stat_statements.max', true), '')::int               AS most,
       nullif(current_setting('pg_stat_statements.track', true), '')                  AS track,
       NULL::int                                                                      AS entries,
       NULL::bigint                                                                   AS deallocations,
       NULL::timestamptz                                                              AS reset_at,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')                        AS sees_all_roles
FROM (VALUES (1)) AS one
LEFT JOIN pg_extension e ON e.extname = 'pg_stat_statements'
LEFT JOIN pg_namespace n ON n.oid = e.extnamespace
