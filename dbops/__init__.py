__version__ = "0.1.0"

#: The oldest PostgreSQL that is looked at, by its major version.
OLDEST_POSTGRESQL = 15
