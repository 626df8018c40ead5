"""The rows of the section that holds the server's settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting as a new session of the role that looked begins with it, in the database that was looked at.

    `value` is in the setting's own unit, numbers and switches as pg_settings writes them. `source` is where the value
    comes from (`default`, `configuration file`, `database`, `user`, `client` for what the connection's
    own options say, …): nothing that the look has set for itself shows here. `context` says who may change it
    and when (`postmaster`: only a restart does). A setting that only superusers and members of pg_read_all_settings may
    see is absent for others.
    """

    name: str
    value: str | None
    source: str
    context: str
