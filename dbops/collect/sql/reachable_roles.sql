-- Roles with attributes that pass by every GRANT, to which the one who logged in may SET ROLE. Locks: none.
WITH RECURSIVE reachable AS (
    SELECT m.roleid AS via, m.roleid AS role
    FROM pg_auth_members m
    WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = session_user)
    UNION
    SELECT r.via, m.roleid
    FROM reachable r
    JOIN pg_auth_members m ON m.member = r.role
)
SELECT r.rolname::text                                  AS role,
       r.rolsuper                                       AS is_superuser,
       r.rolcreaterole                                  AS can_create_roles,
       r.rolbypassrls                                   AS bypasses_row_security,
       r.rolreplication                                 AS can_replicate,
       pg_get_userbyid(f.via)::text                     AS via
FROM reachable f
JOIN pg_roles r ON r.oid = f.role
WHERE r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR r.rolreplication
ORDER BY 6, 1
