-- The constraints of those tables; of NOT NULL ones (catalogued from PostgreSQL 18) only those that are not validated.
-- Before PostgreSQL 18 there is no conenforced, and all are enforced: then the name means the one beside pg_constraint.
-- Locks: AccessShare on tables with check constraints, given back at once; none on a table that is locked.
WITH locked AS MATERIALIZED (
    SELECT relation FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT k.oid::bigint                                   AS oid,
       k.conrelid::bigint                              AS table_oid,
       k.conname::text                                 AS name,
       k.contype::text                                 AS type,
       coalesce(k.conkey, '{}')::int[]                 AS columns,
       nullif(k.confrelid, 0)::bigint                  AS referenced_table_oid,
       coalesce(k.confkey, '{}')::int[]                AS referenced_columns,
       nullif(k.conindid, 0)::bigint                   AS index_oid,
       nullif(k.conparentid, 0)::bigint                AS parent_oid,
       k.coninhcount > 0                               AS is_inherited,
       k.convalidated                                  AS is_validated,
       k.is_enforced                                   AS is_enforced,
       k.condeferrable                                 AS is_deferrable,
       k.condeferred                                   AS is_deferred,
       CASE WHEN k.contype = 'f' THEN k.confdeltype::text ELSE '' END                 AS on_delete,
       CASE WHEN k.contype = 'f' THEN k.confupdtype::text ELSE '' END                 AS on_update,
       CASE WHEN l.relation IS NULL THEN pg_get_constraintdef(k.oid) END              AS definition
FROM (SELECT true AS conenforced) before_18
CROSS JOIN LATERAL (SELECT *, conenforced AS is_enforced FROM pg_constraint) k
JOIN pg_class t ON t.oid = k.conrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN locked l ON l.relation = k.conrelid
WHERE t.relkind IN ('r', 'p', 'm')
  AND t.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND (k.contype IN ('p', 'u', 'f', 'c', 'x') OR k.contype = 'n' AND NOT k.convalidated)
ORDER BY n.nspname, t.relname, k.conname
