-- Tables that are being vacuumed. The progress view hides the table from most roles; its lock is there for all to see.
-- Locks: none; pg_locks holds the lock table for a moment.
SELECT p.pid                  AS pid,
       p.datname::text        AS database,
       l.relation::bigint     AS table_oid
FROM pg_stat_progress_vacuum p
LEFT JOIN pg_locks l ON l.pid = p.pid
                    AND l.locktype = 'relation'
                    AND l.mode = 'ShareUpdateExclusiveLock'
                    AND l.granted
                    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
