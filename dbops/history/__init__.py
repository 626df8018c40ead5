"""Looks that are kept: taken one at a time for each database, written to the project's own database and read again."""
