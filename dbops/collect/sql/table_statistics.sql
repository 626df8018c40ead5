-- Counters of tables since their last reset. Locks: none.
SELECT relid::bigint           AS oid,
       n_live_tup              AS live_rows,
       n_dead_tup              AS dead_rows,
       n_tup_ins               AS inserts,
       n_tup_upd               AS updates,
       n_tup_hot_upd           AS hot_updates,
       n_tup_del               AS deletes,
       n_mod_since_analyze     AS changes_since_analyze,
       n_ins_since_vacuum      AS inserts_since_vacuum,
       last_vacuum             AS vacuumed_at,
       last_autovacuum         AS autovacuumed_at,
       last_analyze            AS analyzed_at,
       last_autoanalyze        AS autoanalyzed_at,
       NULL::bigint            AS newpage_updates,
       seq_scan                AS sequential_scans,
       seq_tup_read            AS sequential_rows,
       coalesce(idx_scan, 0)   AS index_scans
FROM pg_stat_user_tables
