-- The server's settings, as a new session of this role in this database begins with them. Locks: none.
-- What this look has set for its own time is taken back first: for this statement alone, as it is LOCAL and read
-- between a savepoint and a rollback to it. The statement's own time limit runs already.
WITH own AS MATERIALIZED (
    SELECT count(set_config(name, NULL, true)) AS settings
    FROM unnest(ARRAY['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'row_security', 'jit',
                      'search_path']) AS name
)
SELECT s.name                                                               AS name,
       CASE WHEN s.source = 'session' THEN s.reset_val ELSE s.setting END    AS value,
       s.source                                                             AS source,
       s.context                                                            AS context
FROM pg_settings s
WHERE (SELECT settings FROM own) > 0
