-- What keeps VACUUM from removing and freezing rows, by age. VACUUM itself never does. Locks: none.
-- The snapshot of an idle session is older than its last change of state. One at work took it when its statement began,
-- or, as nobody shows which isolation level it is at, when its transaction did.
SELECT CASE WHEN a.backend_type = 'walsender' THEN 'standby'
            WHEN a.usename IS NULL THEN 'process'
            ELSE 'session' END                                                      AS kind,
       concat_ws('@', coalesce(a.usename::text, a.backend_type, 'unknown process'),
                 nullif(a.application_name, ''))                                    AS name,
       a.pid                                                                       AS pid,
       a.datname::text                                                             AS database,
       greatest(age(a.backend_xmin), age(a.backend_xid))::bigint                   AS xid_age,
       a.xact_start                                                                AS started_at,
       CASE WHEN a.state = 'active' THEN greatest(a.query_start, a.xact_start)
            WHEN a.xact_start IS NOT NULL THEN a.state_change END                   AS held_since,
       a.backend_type IS NULL                                                      AS is_hidden
FROM pg_stat_activity a
WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
  AND a.pid <> pg_backend_pid()
  AND a.pid NOT IN (SELECT p.pid FROM pg_stat_progress_vacuum p)
UNION ALL
SELECT 'prepared transaction', x.gid, NULL, x.database::text, age(x.transaction)::bigint, x.prepared, x.prepared, false
FROM pg_prepared_xacts x
UNION ALL
SELECT 'slot', s.slot_name::text, s.active_pid, NULL, age(s.xmin)::bigint, NULL, NULL, false
FROM pg_replication_slots s
WHERE s.xmin IS NOT NULL
UNION ALL
SELECT 'logical slot', s.slot_name::text, s.active_pid, s.database::text, age(s.catalog_xmin)::bigint, NULL, NULL, false
FROM pg_replication_slots s
WHERE s.catalog_xmin IS NOT NULL
ORDER BY xid_age DESC
