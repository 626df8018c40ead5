-- The lines of pg_hba.conf, in the order in which the server tries them. For superusers, and for roles that were granted
-- both the view and the function. Locks: none.
SELECT line_number                                      AS line,
       type                                             AS type,
       coalesce(database, '{}')                         AS databases,
       coalesce(user_name, '{}')                        AS users,
       address                                          AS address,
       netmask                                          AS netmask,
       auth_method                                      AS method,
       coalesce(options, '{}')                          AS options,
       error                                            AS error
FROM pg_hba_file_rules
