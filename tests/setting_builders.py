"""Settings and servers with sensible defaults, for the pure tests of the checks that judge them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dbops.snapshot.rows import Server
from dbops.snapshot.setting_rows import Setting

SERVER = Server(
    version="18.0",
    version_num=180_000,
    database="shop",
    is_standby=False,
    role="web",
    session_role="web",
    is_superuser=False,
    is_monitor=False,
    search_path=("public",),
    provider=None,
    observed_at=datetime(2026, 1, 2, tzinfo=UTC),
)


def a_server(**values: Any) -> tuple[Server]:
    """The section with its only row: PostgreSQL 18, seen as `web` in `shop`."""
    return (replace(SERVER, **values),)


def a_setting(name: str, value: str | None, **values: Any) -> Setting:
    """A setting of the configuration file."""
    return Setting(name=name, value=value, **{"source": "configuration file", "context": "sighup", **values})
