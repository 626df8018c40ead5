-- Row-level security policies. Printing an expression needs a lock on the table, so it is left out (NULL) for one that is
-- locked. Locks: AccessShare on the tables with policies and those their expressions read, given back at once.
WITH locked AS MATERIALIZED (
    SELECT relation FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), unreadable AS MATERIALIZED (
    SELECT oid FROM pg_policy WHERE polrelid IN (SELECT relation FROM locked)
    UNION
    SELECT d.objid
    FROM pg_depend d
    WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid IN (SELECT relation FROM locked)
), calls AS MATERIALIZED (
    SELECT DISTINCT d.objid AS policy, format('%I.%I()', n.nspname, f.proname) AS call
    FROM pg_depend d
    JOIN pg_proc f ON f.oid = d.refobjid AND f.pronargs = 0 AND f.provolatile = 's'
    JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_proc'::regclass
)
SELECT p.oid::bigint                                    AS oid,
       p.polrelid::bigint                               AS table_oid,
       p.polname::text                                  AS name,
       p.polcmd::text                                   AS command,
       p.polpermissive                                  AS is_permissive,
       ARRAY(SELECT pg_get_userbyid(role)::text FROM unnest(p.polroles) role WHERE role <> 0 ORDER BY 1) AS roles,
       EXISTS (SELECT FROM unnest(p.polroles) role
               WHERE CASE WHEN role = 0 THEN true ELSE pg_has_role(current_user, role, 'USAGE') END)     AS is_for_us,
       u.oid IS NULL                                    AS is_readable,
       CASE WHEN u.oid IS NULL THEN pg_get_expr(p.polqual, p.polrelid) END            AS using,
       CASE WHEN u.oid IS NULL THEN pg_get_expr(p.polwithcheck, p.polrelid) END       AS with_check,
       ARRAY(SELECT call FROM calls WHERE policy = p.oid ORDER BY 1)                  AS stable_calls
FROM pg_policy p
LEFT JOIN unreadable u ON u.oid = p.oid
ORDER BY p.polrelid, p.polname
