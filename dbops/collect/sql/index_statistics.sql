-- Counters of indexes since their last reset. Locks: none.
SELECT indexrelid::bigint AS oid, idx_scan AS scans, idx_tup_read AS entries_read
FROM pg_stat_user_indexes
