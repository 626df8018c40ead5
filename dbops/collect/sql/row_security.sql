-- The tables that have policies or row-level security. Members of the owner are its like; superusers and roles with
-- BYPASSRLS are above it all anyhow. Locks: none.
SELECT c.oid::bigint                                    AS table_oid,
       c.relrowsecurity                                 AS is_enabled,
       c.relforcerowsecurity                            AS is_forced,
       pg_has_role(current_user, c.relowner, 'USAGE')
           AND NOT (o.rolsuper OR o.rolbypassrls)       AS is_own
FROM pg_class c
JOIN pg_roles o ON o.rolname = current_user
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND c.relpersistence <> 't'
  AND (c.relrowsecurity OR c.oid IN (SELECT polrelid FROM pg_policy))
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY n.nspname, c.relname
