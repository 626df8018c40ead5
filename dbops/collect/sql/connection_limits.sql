-- How many connections there may be: in all, in this database and for each role, where that is limited. Of those in all,
-- some are kept for superusers and (from PostgreSQL 16) for members of pg_use_reserved_connections. Locks: none.
SELECT 'server'                                                            AS scope,
       'max_connections'                                                   AS name,
       current_setting('max_connections')::int                             AS most,
       current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true)::int, 0)    AS reserved
UNION ALL
SELECT 'database', datname::text, datconnlimit::int, 0 FROM pg_database
WHERE datname = current_database() AND datconnlimit > 0
UNION ALL
SELECT 'role', rolname::text, rolconnlimit::int, 0 FROM pg_roles
WHERE rolconnlimit > 0 AND NOT rolsuper
ORDER BY 1 DESC, 2
