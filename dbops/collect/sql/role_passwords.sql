-- How the server keeps the passwords of the roles that may log in: never the password's digest itself. For superusers.
-- Locks: none.
SELECT rolname::text                                    AS role,
       CASE WHEN rolpassword LIKE 'md5%' THEN 'md5'
            WHEN rolpassword LIKE 'SCRAM-SHA-256$%' THEN 'scram-sha-256'
       END                                              AS kind
FROM pg_authid
WHERE rolcanlogin
ORDER BY rolname
