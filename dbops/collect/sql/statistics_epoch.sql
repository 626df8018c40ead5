-- Which server counts, and since when. A crash resets all shared counters at once, pg_stat_reset_shared() one of them:
-- the earliest moment is the one before which nothing of the server's is left. The next
-- multixact is the oldest one of this database and how old that is, together. Locks: none.
SELECT (SELECT system_identifier FROM pg_control_system())      AS system_identifier,
       d.datid::bigint                                          AS database_oid,
       pg_postmaster_start_time()                               AS started_at,
       d.stats_reset                                            AS database_reset_at,
       least(
         (SELECT stats_reset FROM pg_stat_bgwriter),
         (SELECT stats_reset FROM pg_stat_archiver),
         (SELECT stats_reset FROM pg_stat_wal)
       )                                                        AS server_reset_at,
       clock_timestamp()                                        AS observed_at,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint    AS next_xid,
       (SELECT (o.datminmxid::text::bigint + mxid_age(o.datminmxid)) % 4294967296
        FROM pg_database o
        WHERE o.oid = d.datid)                                  AS next_multixact
FROM pg_stat_database d
WHERE d.datname = current_database()
