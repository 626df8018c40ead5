-- How large the database is: the server looks at every file of it, which takes its time among very many. Locks: none.
SELECT pg_database_size(current_database()) AS size_bytes
