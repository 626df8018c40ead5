-- Roles that pass by every GRANT and that the one who logged in may become, and the predefined roles with a hand on the
-- server's own files whose rights it has; with the grant that leads there. From 16 on a grant says whether it lets one
-- SET ROLE, and whether it lets one inherit the rights. With its ADMIN OPTION one grants oneself either, but not of a
-- superuser, which only superusers grant. Locks: none.
WITH RECURSIVE edge AS MATERIALIZED (
    SELECT m.oid AS membership, m.member, m.roleid AS role, m.inherit_option, m.set_option,
           m.admin_option AND NOT r.rolsuper AS gives_itself
    FROM pg_auth_members m
    JOIN pg_roles r ON r.oid = m.roleid
), reachable AS (
    SELECT e.membership, e.role, e.set_option OR e.gives_itself AS becomes
    FROM edge e
    WHERE e.member = (SELECT oid FROM pg_roles WHERE rolname = session_user)
      AND (e.inherit_option OR e.set_option OR e.gives_itself)
    UNION
    SELECT f.membership, e.role, (f.becomes AND e.set_option) OR e.gives_itself
    FROM reachable f
    JOIN edge e ON e.member = f.role
    WHERE e.inherit_option OR (f.becomes AND e.set_option) OR e.gives_itself
)
SELECT DISTINCT
       r.rolname::text                                  AS role,
       r.rolsuper                                       AS is_superuser,
       r.rolcreaterole                                  AS can_create_roles,
       r.rolbypassrls                                   AS bypasses_row_security,
       r.rolreplication                                 AS can_replicate,
       pg_get_userbyid(m.roleid)::text                  AS via,
       pg_get_userbyid(m.grantor)::text                 AS grantor,
       m.admin_option                                   AS is_admin,
       m.inherit_option                                 AS inherits,
       m.set_option                                     AS can_set
FROM reachable f
JOIN pg_roles r ON r.oid = f.role
JOIN pg_auth_members m ON m.oid = f.membership
WHERE (f.becomes AND (r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR r.rolreplication))
   OR r.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files')
ORDER BY 6, 1, 7
