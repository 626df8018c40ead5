-- The ages of all databases of the server. Locks: none.
SELECT d.datname::text                       AS name,
       d.datname = current_database()        AS is_here,
       age(d.datfrozenxid)::bigint           AS xid_age,
       mxid_age(d.datminmxid)::bigint        AS multixact_age
FROM pg_database d
ORDER BY d.datname
