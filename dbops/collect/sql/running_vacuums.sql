-- Tables that are being vacuumed. The progress view hides the table from most roles; its lock is there for all to see.
-- Who does it stays hidden from most: autovacuum's workers are nobody's sessions.
-- Locks: none; pg_locks holds the lock table for a moment.
SELECT p.pid                                     AS pid,
       p.datname::text                           AS database,
       l.relation::bigint                        AS table_oid,
       a.backend_type = 'autovacuum worker'      AS is_autovacuum
FROM pg_stat_progress_vacuum p
LEFT JOIN pg_stat_activity a ON a.pid = p.pid
LEFT JOIN pg_locks l ON l.pid = p.pid
                    AND l.locktype = 'relation'
                    AND l.mode = 'ShareUpdateExclusiveLock'
                    AND l.granted
                    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
