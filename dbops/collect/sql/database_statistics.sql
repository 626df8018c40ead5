-- Counters of this database since their last reset. Locks: none.
SELECT xact_commit   AS commits,
       xact_rollback AS rollbacks,
       blks_hit      AS blocks_hit,
       blks_read     AS blocks_read,
       temp_files    AS temp_files,
       temp_bytes    AS temp_bytes,
       deadlocks     AS deadlocks
FROM pg_stat_database
WHERE datname = current_database()
