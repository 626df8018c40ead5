"""`manage.py check`: the DBOPS setting is refused as long as anything in it cannot be right. Needs no database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  Django's own name
from django.db import connections

from dbops.analysis.settings import problems
from dbops.conf import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.conf import Config


def check_setting(**_: Any) -> list[CheckMessage]:
    """Return what is wrong with the DBOPS setting: dbops.E001 cannot be right, dbops.W001 has expired."""
    found, wrong = read(getattr(settings, "DBOPS", {}))
    named = (*found.disabled, *(ignore.check for ignore in found.ignores))
    wrong += problems(found.thresholds, named)
    errors = [Error(error.message, hint=error.hint, id="dbops.E001") for error in wrong]
    return [*errors, *_unknown_databases(found), *_expired_ignores(found)]


def _unknown_databases(found: Config) -> Iterator[CheckMessage]:
    for alias in found.databases:
        if alias not in connections.settings:
            hint = f"there are {', '.join(sorted(connections.settings))}"
            yield Error(f'DBOPS["DATABASES"] names {alias!r}, which is not in DATABASES', hint=hint, id="dbops.E001")


def _expired_ignores(found: Config) -> Iterator[CheckMessage]:
    today = datetime.now(UTC).date()
    for ignore in found.ignores:
        if ignore.has_expired(today):
            yield Warning(
                f"the ignore of {ignore.check} on {ignore.target} expired on {ignore.until}",
                hint=f"its reason was {ignore.reason!r}: renew it or take it out of the DBOPS setting",
                id="dbops.W001",
            )
