"""Servers as providers hand them out: what their roles are, and what those may do."""
