"""The rows of the section that tells which tables get their rows from another server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribedTable:
    """A table that a subscription of logical replication fills."""

    table_oid: int
