"""One round of what is remembered of a database: its counters, and as often as is wanted a whole look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone

from dbops.counters.recording import record
from dbops.counters.store import last_taken_at
from dbops.history.looks import claim, take
from dbops.models import Look
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Round:
    """What was kept in one round: rows by section, why a section was not read, and the whole look, if it was due."""

    counted: Mapping[str, int]
    unread: tuple[str, ...]
    interrupted: str | None
    look: Look | None


def age_of_last(alias: str) -> timedelta | None:
    """Return how long ago counters of DATABASES[alias] were kept, by whomever; None when none are."""
    last = last_taken_at(alias)
    return None if last is None else timezone.now() - last


def take_round(alias: str, *, look_every: timedelta | None) -> Round:
    """Keep the counters of DATABASES[alias], and a look where the last is older than `look_every`; None for never.

    Raises:
        ConfigurationError, TargetUnreachableError: it cannot be reached.
        django.db.Error: what was read cannot be written.
    """
    snapshot = record(alias)
    unread = {section.reason for section in snapshot.sections.values() if isinstance(section, Unavailable)}
    return Round(
        counted={name: len(section) for name, section in snapshot.sections.items() if isinstance(section, tuple)},
        unread=tuple(sorted(unread)),
        interrupted=snapshot.interrupted,
        look=None if look_every is None else _look(alias, look_every),
    )


def _look(alias: str, every: timedelta) -> Look | None:
    last = Look.objects.filter(alias=alias).order_by("-started_at").values_list("started_at", flat=True).first()
    if last is not None and timezone.now() - last < every:
        return None
    look = claim(alias)
    if look is not None:
        take(look)
    return look
