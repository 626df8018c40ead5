-- Pages whose checksum was wrong when they were read, in this database and in what all databases share (no name).
-- Locks: none.
SELECT s.datname::text                 AS database,
       s.checksum_failures             AS failures,
       s.checksum_last_failure         AS last_failure_at
FROM pg_stat_database s
WHERE s.datid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
