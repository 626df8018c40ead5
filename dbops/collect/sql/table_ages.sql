-- The twenty tables with the oldest transaction ids and the twenty with the oldest multixacts; of equally old ones first
-- those that were made last, which are not the system's. Locks: none.
WITH aged AS MATERIALIZED (
    SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.relpersistence,
           age(c.relfrozenxid)::bigint      AS xid_age,
           mxid_age(c.relminmxid)::bigint   AS multixact_age
    FROM pg_class c
    WHERE c.relkind IN ('r', 't', 'm') AND c.relfrozenxid <> 0
), oldest AS (
    (SELECT * FROM aged ORDER BY xid_age DESC, relkind = 't', oid DESC LIMIT 20)
    UNION
    (SELECT * FROM aged ORDER BY multixact_age DESC, relkind = 't', oid DESC LIMIT 20)
)
SELECT n.nspname::text                         AS schema,
       coalesce(o.relname, a.relname)::text    AS name,
       a.relkind = 't'                         AS is_toast,
       a.relpersistence = 't'                  AS is_temporary,
       a.xid_age                               AS xid_age,
       a.multixact_age                         AS multixact_age
FROM oldest a
LEFT JOIN pg_class o ON a.relkind = 't' AND o.reltoastrelid = a.oid
JOIN pg_namespace n ON n.oid = coalesce(o.relnamespace, a.relnamespace)
ORDER BY a.xid_age DESC, a.relkind = 't', a.oid DESC
