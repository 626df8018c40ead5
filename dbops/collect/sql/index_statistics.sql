-- Counters of indexes since their last reset. Locks: none.
SELECT indexrelid::bigint AS oid, idx_scan AS scans, idx_tup_read AS entries_read, NULL::timestamptz AS scanned_at
FROM pg_stat_user_indexes
