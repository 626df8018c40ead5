"""Names given on a command line: split, and refused with a suggestion when there is nothing of that name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import connections

from dbops.errors import UsageError
from dbops.management.dsn import looks_like_dsn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def words(text: str) -> list[str]:
    """Return the names in `a,b, c`."""
    return [word for word in (part.strip() for part in text.split(",")) if word]


def check_app_labels(labels: Iterable[str]) -> None:
    """Refuse a label of no installed app.

    Raises:
        UsageError: naming the nearest label there is.
    """
    _check(labels, sorted(config.label for config in apps.get_app_configs()), "an app label", "there is no app")


def check_aliases(aliases: Iterable[str]) -> None:
    """Refuse an alias that DATABASES does not have.

    Raises:
        UsageError: naming the nearest alias there is.
    """
    _check(aliases, sorted(connections.settings), "an alias of DATABASES", "DATABASES has no alias")


def refuse_together(one: str, options: Mapping[str, Any], *others: str, why: str) -> None:
    """Refuse option `one` beside any of `others` (by destination) that was given.

    Raises:
        UsageError: naming the first of them, and `why` it makes no sense.
    """
    for other in others:
        if options[other]:
            name = "APP_LABEL" if other == "app_labels" else f"--{other.replace('_', '-')}"
            message = f"{one} and {name} exclude each other: {why}"
            raise UsageError(message, hint="leave one of them out")


def _check(given: Iterable[str], known: list[str], what: str, complaint: str) -> None:
    for name in given:
        if name in known:
            continue
        if looks_like_dsn(name):  # not repeated: it may hold a password
            message = f"a DSN was given where {what} belongs"
            raise UsageError(message, hint="give it to --dsn, or in the variable DBOPS_DSN when it holds a password")
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        message = f"{complaint} {name!r}"
        raise UsageError(message, hint=hint)
