"""A to-do list per user: the cascade, the clock and the one index it needs are the database's."""
