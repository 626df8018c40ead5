-- Who logged in for this look, and over what. Of one's own connection every role may see that. Locks: none.
SELECT r.rolname::text                                  AS role,
       r.rolsuper                                       AS is_superuser,
       r.rolcreaterole                                  AS can_create_roles,
       r.rolbypassrls                                   AS bypasses_row_security,
       r.rolreplication                                 AS can_replicate,
       r.oid = 10                                       AS is_bootstrap,
       coalesce(s.ssl, false)                           AS is_ssl,
       coalesce(g.encrypted, false)                     AS is_gss_encrypted,
       host(inet_client_addr())                         AS client_address,
       host(inet_server_addr())                         AS server_address
FROM pg_roles r
LEFT JOIN pg_stat_ssl s ON s.pid = pg_backend_pid()
LEFT JOIN pg_stat_gssapi g ON g.pid = pg_backend_pid()
WHERE r.rolname = session_user
