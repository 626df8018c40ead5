-- Counters of tables since their last reset. Locks: none.
SELECT relid::bigint    AS oid,
       n_live_tup       AS live_rows,
       n_dead_tup       AS dead_rows,
       n_tup_ins        AS inserts,
       n_tup_upd        AS updates,
       n_tup_hot_upd    AS hot_updates,
       n_tup_del        AS deletes
FROM pg_stat_user_tables
