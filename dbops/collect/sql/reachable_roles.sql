-- Roles that pass by every GRANT and that the one who logged in may become, and the predefined roles with a hand on the
-- server's own files whose rights it has; with the membership that leads there. Locks: none.
WITH RECURSIVE reachable AS (
    SELECT m.roleid AS via, m.roleid AS role, m.admin_option AS is_admin
    FROM pg_auth_members m
    WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = session_user)
    UNION
    SELECT r.via, m.roleid, r.is_admin
    FROM reachable r
    JOIN pg_auth_members m ON m.member = r.role
)
SELECT r.rolname::text                                  AS role,
       r.rolsuper                                       AS is_superuser,
       r.rolcreaterole                                  AS can_create_roles,
       r.rolbypassrls                                   AS bypasses_row_security,
       r.rolreplication                                 AS can_replicate,
       pg_get_userbyid(f.via)::text                     AS via,
       NULL::text                                       AS grantor,
       f.is_admin                                       AS is_admin,
       NULL::boolean                                    AS inherits,
       NULL::boolean                                    AS can_set
FROM reachable f
JOIN pg_roles r ON r.oid = f.role
WHERE r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR r.rolreplication
   OR r.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files')
ORDER BY 6, 1
