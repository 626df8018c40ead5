-- Every process of the server but our own, with ages in seconds by the server's clock, and whom it waits for. The text
-- of a statement never leaves the server: of it only the command's words are taken. What this session remembers of an
-- earlier look at them is dropped first, or the ages would be those of another moment.
-- Locks: none; pg_blocking_pids() holds the lock table for a moment, so it is asked only of the 500 longest waiting.
WITH waiting AS MATERIALIZED (
    SELECT l.pid, l.locktype, l.mode, l.waitstart,
           row_number() OVER (ORDER BY l.waitstart) <= 500 AS is_asked,
           CASE WHEN l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) THEN l.relation END
               AS relation
    FROM pg_locks l
    WHERE NOT l.granted AND l.pid <> pg_backend_pid()
), command AS MATERIALIZED (
    SELECT '^(?:[\s(]|/\*(?:[^*]|\*+[^*/])*\*+/|--[^\n]*\n)*'::text AS before
)
SELECT a.pid::int                                                          AS pid,
       pg_get_userbyid(a.usesysid)::text                                   AS role,
       coalesce(r.rolsuper, false)                                         AS is_superuser,
       coalesce(a.application_name, '')::text                              AS application,
       d.datname::text                                                     AS database,
       coalesce(d.datname = current_database(), false)                     AS is_here,
       a.backend_type::text                                                AS kind,
       a.state::text                                                       AS state,
       (a.wait_event_type || ':' || a.wait_event)::text                    AS wait_event,
       extract(epoch FROM clock_timestamp() - a.state_change)::float8      AS state_s,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8        AS transaction_s,
       to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'    AS transaction_start,
       a.backend_xid IS NOT NULL                                           AS has_written,
       age(a.backend_xmin)::bigint                                         AS snapshot_age,
       a.query_id::bigint                                                  AS query_id,
       (SELECT CASE
            WHEN left(a.query, 1000) ~* (before || 'create\s+(?:unique\s+)?index\s+concurrently\M') THEN 'CREATE INDEX CONCURRENTLY'
            WHEN left(a.query, 1000) ~* (before || 'reindex\M.*\mconcurrently\M') THEN 'REINDEX CONCURRENTLY'
            WHEN left(a.query, 1000) ~* (before || 'vacuum\s*(?:\([^)]*\m)?full\M') THEN 'VACUUM FULL'
            ELSE (SELECT word FROM upper(substring(left(a.query, 1000) FROM before || '([A-Za-z]+)')) AS word
                  WHERE word = ANY ('{SELECT,INSERT,UPDATE,DELETE,MERGE,COPY,WITH,VALUES,TABLE,FETCH,DECLARE,CLOSE,MOVE,
                      EXECUTE,PREPARE,DEALLOCATE,BEGIN,START,COMMIT,END,ROLLBACK,ABORT,SAVEPOINT,RELEASE,SET,RESET,SHOW,
                      DISCARD,CREATE,ALTER,DROP,TRUNCATE,COMMENT,GRANT,REVOKE,LOCK,CALL,DO,EXPLAIN,LISTEN,UNLISTEN,
                      NOTIFY,CHECKPOINT,CLUSTER,REINDEX,REFRESH,VACUUM,ANALYZE,ANALYSE,REASSIGN,IMPORT}'))
        END FROM command)::text                                            AS command,
       extract(epoch FROM clock_timestamp() - w.waitstart)::float8         AS waiting_s,
       w.locktype::text                                                    AS lock_type,
       w.mode::text                                                        AS lock_mode,
       (SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = w.relation)::text
                                                                           AS lock_relation,
       coalesce(CASE WHEN w.is_asked THEN pg_blocking_pids(a.pid) END, '{}')::int[]   AS blocked_by,
       coalesce(s.setconfig, '{}')::text[]                                 AS role_settings
FROM (SELECT pg_stat_clear_snapshot()::text AS done OFFSET 0) cleared
CROSS JOIN LATERAL pg_stat_get_activity(CASE WHEN cleared.done IS NULL THEN 0 END) a
LEFT JOIN pg_database d ON d.oid = a.datid
LEFT JOIN pg_roles r ON r.oid = a.usesysid
LEFT JOIN pg_db_role_setting s ON s.setdatabase = a.datid AND s.setrole = a.usesysid
LEFT JOIN waiting w ON w.pid = a.pid
WHERE a.pid <> pg_backend_pid()
ORDER BY a.pid
