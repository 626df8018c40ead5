"""A snapshot with what happened of late: windows made of the counters that it has itself, and of earlier ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from dbops.snapshot import deltas
from dbops.snapshot.deltas import Epoch, Span, epoch_of, outlives, statement_epoch_of, window_of
from dbops.snapshot.snapshot import Section, Snapshot, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from dbops.snapshot.counter_rows import StatementText

NO_HISTORY: Final = "no history is kept of it: manage.py dbsnapshot keeps one"
BEGAN_ANEW: Final = "the server was restarted or its counters were reset since the last time that they were kept"
#: Sections that are made here, by the counters that they are made of.
MADE_OF: Final[Mapping[str, frozenset[str]]] = {
    "window": frozenset({"statistics_epoch"}),
    "table_activity": frozenset({"statistics_epoch", "table_statistics"}),
    "index_activity": frozenset({"statistics_epoch", "index_statistics"}),
    "database_activity": frozenset({"statistics_epoch", "database_statistics"}),
    "statement_window": frozenset({"statistics_epoch", "statement_tracking"}),
    "statement_activity": frozenset(
        {"statistics_epoch", "statement_tracking", "statement_counters", "statement_texts"}
    ),
}
#: Counters that a window begins and ends with; the texts of statements are those of the look.
_COUNTED: Final = frozenset[str]().union(*MADE_OF.values()) - {"statement_texts"}


class Point(Protocol):
    """What was counted at an earlier moment. `load` reads sections of it, which may take a while."""

    @property
    def taken_at(self) -> datetime: ...
    @property
    def epoch(self) -> Epoch | None: ...
    @property
    def statement_epoch(self) -> Epoch | None: ...
    def load(self, sections: Iterable[str]) -> Mapping[str, Section]: ...


@dataclass(frozen=True, slots=True)
class _Moment:
    """A point with the epoch that counts, or the end of the window, which is the look itself."""

    at: datetime
    epoch: Epoch
    load: Callable[[Iterable[str]], Mapping[str, Section]]


def with_activity(snapshot: Snapshot, points: Sequence[Point], *, no_history: str = NO_HISTORY) -> Snapshot:
    """Return `snapshot` with the sections of its windows: since the first of `points`, which are in their order.

    A window is made of the sections of counters that `snapshot` has; where one of these is missing, what is made of it
    says why. Without points a window begins where the server says that its counters began, and where
    it does not say so there is none: `no_history` says why nothing was kept.
    """
    made: dict[str, Section] = {}
    epoch, statement_epoch = epoch_of(snapshot.sections), statement_epoch_of(snapshot.sections)
    earlier = [_Moment(point.taken_at, point.epoch, point.load) for point in points if point.epoch]
    of_tables = _Windowed.of(snapshot, epoch, earlier, source="pg_stat_database", no_history=no_history)
    earlier = [_Moment(point.taken_at, point.statement_epoch, point.load) for point in points if point.statement_epoch]
    of_statements = _Windowed.of(snapshot, statement_epoch, earlier, source="pg_stat_statements", no_history=no_history)
    texts = snapshot.sections.get("statement_texts", ())
    for section, reader, windowed in (
        ("table_activity", deltas.table_activity, of_tables),
        ("index_activity", deltas.index_activity, of_tables),
        ("database_activity", deltas.database_activity, of_tables),
        (
            "statement_activity",
            lambda spans: deltas.statement_activity(spans, texts if isinstance(texts, tuple) else ()),
            of_statements,
        ),
    ):
        made[section] = _made(snapshot, section, reader, windowed)
    for section, windowed in (("window", of_tables), ("statement_window", of_statements)):
        missing = _missing(snapshot, MADE_OF[section])
        made[section] = missing or (
            windowed if isinstance(windowed, Unavailable) else windowed.window(MADE_OF[section])
        )
    return replace(snapshot, sections={**snapshot.sections, **made})


def with_earlier_statements(points: Sequence[Point], texts: Iterable[StatementText]) -> dict[str, Section]:
    """Return the sections of what statements were like between the first and the last of `points`."""
    sections = MADE_OF["statement_activity"] - {"statement_texts"}
    moments = [_Moment(point.taken_at, point.statement_epoch, point.load) for point in points if point.statement_epoch]
    runs = tuple(run for run in _runs(moments) if len(run) > 1)
    if not runs:
        missing = Unavailable("nothing is known of the time before: manage.py dbsnapshot keeps a history")
        return {"earlier_statement_window": missing, "earlier_statement_activity": missing}
    windowed = _Windowed(runs, "history")
    spans = windowed.spans(sections)
    return {
        "earlier_statement_window": windowed.window(MADE_OF["statement_window"]),
        "earlier_statement_activity": _uncounted(spans, sections) or deltas.statement_activity(spans, texts),
    }


def _made(
    snapshot: Snapshot,
    section: str,
    reader: Callable[[Sequence[Span]], Section],
    windowed: _Windowed | Unavailable,
) -> Section:
    missing = _missing(snapshot, MADE_OF[section])
    if missing is not None:
        return missing
    if isinstance(windowed, Unavailable):
        return windowed
    spans = windowed.spans(MADE_OF[section])
    return _uncounted(spans, MADE_OF[section]) or reader(spans)


def _uncounted(spans: Iterable[Span], sections: Iterable[str]) -> Unavailable | None:
    """Return why one of `sections` is not known at a moment of `spans`, so that it would be taken for 0 there."""
    known = [side.get(name) for span in spans for side in (span.began, span.ended) for name in _COUNTED & {*sections}]
    return next((section for section in known if isinstance(section, Unavailable)), None)


def _missing(snapshot: Snapshot, needed: Iterable[str]) -> Unavailable | None:
    sections = [snapshot.section(name) for name in sorted(needed)]
    return next((section for section in sections if isinstance(section, Unavailable)), None)


@dataclass(frozen=True, slots=True)
class _Windowed:
    """Moments by epoch, the look last: what is between the first and the last of an epoch can be counted."""

    runs: tuple[tuple[_Moment, ...], ...]
    source: str

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        epoch: Epoch | None,
        earlier: Iterable[_Moment],
        *,
        source: str,
        no_history: str,
    ) -> _Windowed | Unavailable:
        """Return the window up to the look, or why nothing can be subtracted."""
        seen = snapshot.section("statistics_epoch")
        if epoch is None or isinstance(seen, Unavailable):
            return Unavailable("since when it counts was not seen")
        now = _Moment(seen[0].observed_at, epoch, lambda sections: {name: snapshot.section(name) for name in sections})
        moments = sorted((one for one in earlier if one.at < now.at), key=lambda one: one.at)
        if moments:
            # What another server or database counted is of other tables, even where their oids are the same.
            runs = tuple(run for run in _runs([*moments, now]) if len(run) > 1 and run[0].epoch.is_of(epoch))
            return cls(runs, "history") if runs else Unavailable(BEGAN_ANEW)
        since = epoch.counted_since
        if since is None or since >= now.at or (source == "pg_stat_database" and outlives(snapshot.sections, since)):
            return Unavailable(no_history)
        return cls(((_Moment(since, epoch, lambda _sections: {}), now),), source)

    def spans(self, sections: Iterable[str]) -> list[Span]:
        """Return the first and the last moment of each run, with `sections` as they were counted then."""
        return [Span(run[0].at, run[0].load(sections), run[-1].at, run[-1].load(sections)) for run in self.runs]

    def window(self, sections: Iterable[str]) -> tuple[Any, ...]:
        """Return the section that tells of the window."""
        breaks = [_break(before[-1], after[0]) for before, after in zip(self.runs, self.runs[1:], strict=False)]
        return (window_of(self.spans(sections), source=self.source, breaks=breaks),)


def _runs(moments: Iterable[_Moment]) -> list[tuple[_Moment, ...]]:
    """Return the moments in their order, parted where one is of another epoch than the one before."""
    runs: list[list[_Moment]] = []
    for moment in moments:
        if runs and runs[-1][-1].epoch == moment.epoch:
            runs[-1].append(moment)
        else:
            runs.append([moment])
    return [tuple(run) for run in runs]


def _break(before: _Moment, after: _Moment) -> str:
    if after.epoch.started_at != before.epoch.started_at:
        return f"restarted at {after.epoch.started_at:%Y-%m-%d %H:%M}"
    return f"reset at {after.epoch.counted_since or after.at:%Y-%m-%d %H:%M}"
