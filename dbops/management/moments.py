"""Moments as people name them on the command line."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Final

from django.utils import timezone

from dbops.errors import UsageError

_UNITS: Final = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_AGE: Final = re.compile(r"(\d{1,5})\s*([mhdw])", re.ASCII)
_HINT: Final = "an age such as 90m, 24h, 7d or 2w, or a time such as 2026-11-30 or 2026-11-30T18:00"


def moment(text: str, *, now: datetime) -> datetime:
    """Return the moment before `now` that `text` names; one without a time zone is of the project's own.

    Raises:
        UsageError: it names none, or one that is still to come.
    """
    if text == "now":
        return now
    found = _AGE.fullmatch(text)
    if found is not None:
        return now - int(found[1]) * _UNITS[found[2]]
    at = _time(text)
    if at is None:
        message = f"{text!r} names no moment"
        raise UsageError(message, hint=_HINT)
    if at > now:
        message = f"{text} is still to come"
        raise UsageError(message, hint=_HINT)
    return at


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) <= len("2026-11-30"):
        at = datetime.combine(date.fromisoformat(text), time())
    return at if timezone.is_aware(at) else timezone.make_aware(at)
