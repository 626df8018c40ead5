"""PostgreSQL and Valkey for development, tests and the demo: private servers behind Unix sockets."""
