"""What the slow-query log costs a statement that is not slow: the shortest there is, with the log and without."""

from __future__ import annotations

import os
import platform
import time
from copy import deepcopy
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import django
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import DatabaseWrapper

from dbops import __version__
from dbops.benchmark.figures import Figures, Measure
from dbops.conf import config
from dbops.slow_queries.log import SlowQueryLog
from dbops.snapshot.amounts import format_count, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dbops.benchmark.server import Server

NAME: Final = "slowlog"
#: How long the statement takes where the server is not on the same machine, and what the log may add to that.
_USUAL_US: Final = 200
_MOST_RATIO: Final = 1.02
MEASURES: Final = (
    Measure("plain_us", "SELECT 1 through Django", "µs", 1),
    Measure("watched_us", "the same with the slow-query log", "µs", 1),
    Measure("ratio", "ratio of the two", "", 3),
    Measure("usual_ratio", "ratio where it takes 0.2 ms without", "", 4, most=_MOST_RATIO),
)
_STATEMENT: Final = "SELECT 1"
#: The first ones find nothing in memory.
_WARM_UP: Final = 200
_LABEL_CELLS: Final = 40
#: Django's words for libpq's keywords; the others are options.
_SETTINGS: Final = {"dbname": "NAME", "host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}


def measure(server: Server, *, statements: int, runs: int, step: Callable[[str, int, int], None]) -> Figures:
    """Execute a statement in turn with the log and without, `statements` times each in every run; the medians count.

    In turn, one by one, because whatever else the machine does then hinders both alike.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    taken: dict[str, list[float]] = {one.name: [] for one in MEASURES}
    connection = _connection(server)
    try:
        with connection.cursor() as cursor:
            version = _version(cursor)
            log = SlowQueryLog(config().slow_query_ms)
            _timed(connection, cursor, log, _WARM_UP)
            for run in range(runs):
                step(f"run {run + 1} of {runs}", run, runs)
                plain_s, watched_s = _timed(connection, cursor, log, statements)
                taken["plain_us"].append(round(plain_s * 1e6, 3))
                taken["watched_us"].append(round(watched_s * 1e6, 3))
                taken["ratio"].append(round(watched_s / plain_s, 4))
                taken["usual_ratio"].append(round(1 + (watched_s - plain_s) * 1e6 / _USUAL_US, 5))
    finally:
        connection.close()
    return Figures(
        benchmark=NAME,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        size=size(statements),
        runs={name: tuple(values) for name, values in taken.items()},
        circumstances={
            "dbops": __version__,
            "python": platform.python_version(),
            "django": django.get_version(),
            "postgresql": version,
            "cores": os.cpu_count(),
            "load_before": load,
        },
    )


def size(statements: int) -> Mapping[str, int]:
    """Return what figures have to have in common to be compared."""
    return {"statements": statements}


def page(figures: Figures, before: Figures | None) -> str:
    """Return the figures beside what is promised and those of an earlier run."""
    seen = figures.circumstances
    load = "" if seen["load_before"] is None else f", load before {seen['load_before']:.1f}"
    circumstances = (
        f"{figures.taken_at} · PostgreSQL {seen['postgresql']} · Python {seen['python']} · Django {seen['django']} · "
        f"{plural(seen['cores'], 'core')}{load} · {plural(len(figures.runs['ratio']), 'run')} of "
        f"{format_count(figures.size['statements'])} statements each"
    )
    lines = [
        circumstances,
        "",
        _row("", "minimum", "median", "at most", "the last" if before else ""),
    ]
    for one in MEASURES:
        cells = (figures.minimum(one), figures.median(one), one.most, None if before is None else before.median(one))
        shown = ("" if value is None else f"{value:,.{one.digits}f} {one.unit}".rstrip() for value in cells)
        lines.append(_row(one.label, *shown) + ("  MISSED" if figures.misses(one) else ""))
    return "\n".join(lines) + "\n"


def _row(label: str, *cells: str) -> str:
    return f"{label:<{_LABEL_CELLS}}{''.join(f'{cell:>16}' for cell in cells)}".rstrip()


def _timed(connection: Any, cursor: Any, log: SlowQueryLog, statements: int) -> tuple[float, float]:
    """Return how long the statement took in seconds without the log and with it, as medians."""
    took: tuple[list[float], list[float]] = ([], [])
    both: tuple[list[SlowQueryLog], list[SlowQueryLog]] = ([], [log])
    for number in range(2 * statements):
        connection.execute_wrappers = both[number % 2]
        began = time.perf_counter()
        cursor.execute(_STATEMENT)
        took[number % 2].append(time.perf_counter() - began)
        cursor.fetchall()
    return median(took[0]), median(took[1])


def _connection(server: Server) -> Any:
    """Return a connection of Django's to `server`, as the project's own are but for the pool."""
    settings: dict[str, Any] = deepcopy(connections.settings[DEFAULT_DB_ALIAS])
    options = {name: value for name, value in server.keywords.items() if name not in _SETTINGS}
    named = {word: server.keywords.get(name, "") for name, word in _SETTINGS.items()}
    settings.update(named, AUTOCOMMIT=True, CONN_MAX_AGE=0, OPTIONS=options)
    return DatabaseWrapper(settings, DEFAULT_DB_ALIAS)


def _version(cursor: Any) -> str:
    cursor.execute("SHOW server_version")
    ((version,),) = cursor.fetchall()
    return str(version).partition(" ")[0]
