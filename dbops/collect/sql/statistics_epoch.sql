-- Which server counts, and since when. Locks: none.
SELECT (SELECT system_identifier FROM pg_control_system())      AS system_identifier,
       d.datid::bigint                                          AS database_oid,
       pg_postmaster_start_time()                               AS started_at,
       d.stats_reset                                            AS database_reset_at,
       (SELECT stats_reset FROM pg_stat_bgwriter)               AS server_reset_at,
       clock_timestamp()                                        AS observed_at
FROM pg_stat_database d
WHERE d.datname = current_database()
