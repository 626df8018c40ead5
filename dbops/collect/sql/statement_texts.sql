-- The texts of this database's statements; {statements} is the schema of the extension. Locks: none.
SELECT DISTINCT ON (s.queryid) s.queryid AS query_id, s.query AS text
FROM {statements}.pg_stat_statements(true) s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.queryid IS NOT NULL AND s.query IS NOT NULL
