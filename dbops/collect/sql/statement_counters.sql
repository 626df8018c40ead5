-- Counters of this database's statements; {statements} is the schema of the extension. Locks: none.
-- Statements of other roles have no query id where this role may not see them.
SELECT s.queryid              AS query_id,
       s.userid::bigint       AS role_oid,
       s.toplevel             AS is_top_level,
       s.calls                AS calls,
       s.rows                 AS rows,
       s.total_exec_time      AS total_ms,
       s.min_exec_time        AS min_ms,
       s.max_exec_time        AS max_ms,
       s.shared_blks_hit      AS shared_blocks_hit,
       s.shared_blks_read     AS shared_blocks_read,
       s.shared_blks_dirtied  AS shared_blocks_dirtied,
       s.temp_blks_read       AS temp_blocks_read,
       s.temp_blks_written    AS temp_blocks_written,
       s.blk_read_time        AS block_read_ms,
       s.wal_bytes::bigint    AS wal_bytes,
       NULL::timestamptz      AS counted_since
FROM {statements}.pg_stat_statements(false) s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.queryid IS NOT NULL
