"""How long a look at a large database takes, beside what its own statements take in psql."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import django
from django.conf import ENVIRONMENT_VARIABLE, settings

from dbops import __version__
from dbops.benchmark.figures import Figures, Measure
from dbops.benchmark.fresh_look import PROGRAM
from dbops.benchmark.own_sql import find_psql, recorded_look, run_in_psql, write_script
from dbops.benchmark.scratch import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dbops.benchmark.large_schema import Size
    from dbops.benchmark.server import Server

NAME: Final = "analyze"
RATIO: Final = Measure("ratio", "ratio of the two", "", 2, most=1.5)
MEASURES: Final = (
    Measure("psql_s", "our own SQL in psql", "s", 2),
    Measure("look_s", "the whole look, with its text", "s", 2, most=10.0),
    Measure("own_cpu_s", "  of it, processor time of dbops itself", "s", 2),
    RATIO,
    Measure("process_s", "the same with the interpreter's start", "s", 2),
    Measure("peak_mib", "memory of that process, at most", "MiB", 0, most=300e6 / 1024**2),
)


def measure(server: Server, database: str, size: Size, *, runs: int, step: Callable[[str, int, int], None]) -> Figures:
    """Measure both, one after the other, `runs` times, and once before for what is then in memory.

    Raises:
        BenchmarkError: one of them failed, or a look could not see everything.
    """
    program, load = find_psql(), os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    taken: dict[str, list[float]] = {one.name: [] for one in MEASURES}
    looks: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="dbops-bench-") as directory:
        script = Path(directory) / "look.sql"
        step("recording what a look asks", 0, 2 * runs + 1)
        statements = recorded_look(server.dsn(database))
        write_script(script, statements)
        for run in range(runs):
            step(f"psql, run {run + 1} of {runs}", 2 * run + 1, 2 * runs + 1)
            psql_s = run_in_psql(program, script, server, database, dict(os.environ))
            step(f"look, run {run + 1} of {runs}", 2 * run + 2, 2 * runs + 1)
            process_s, look = _fresh_look(server.dsn(database))
            looks.append(look)
            values = {
                "psql_s": psql_s,
                "look_s": look["look_s"],
                "own_cpu_s": look["own_cpu_s"],
                "ratio": look["look_s"] / psql_s,
                "process_s": process_s,
                "peak_mib": look["peak_mib"],
            }
            for name, value in values.items():
                taken[name].append(round(value, 4))
    best = min(looks, key=lambda look: look["look_s"])
    return Figures(
        benchmark=NAME,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        size=asdict(size),
        runs={name: tuple(values) for name, values in taken.items()},
        circumstances={
            "dbops": __version__,
            "python": platform.python_version(),
            "django": django.get_version(),
            "postgresql": best["server_version"],
            "cores": os.cpu_count(),
            "load_before": load,
            "statements": len(statements),
            "checks": best["checks"],
            "findings": best["findings"],
            "lines": best["lines"],
        },
        steps_s=best["steps_s"],
    )


def _fresh_look(dsn: str) -> tuple[float, dict[str, Any]]:
    """Look in a new process; return how long all of it took, in seconds, and what it says."""
    environment = {
        **os.environ,
        "DBOPS_DSN": dsn,
        "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path),
        ENVIRONMENT_VARIABLE: os.environ.get(ENVIRONMENT_VARIABLE) or settings.SETTINGS_MODULE,
    }
    started = time.perf_counter()
    ended = subprocess.run(  # noqa: S603  this interpreter, and a program that is a constant
        (sys.executable, "-c", PROGRAM),
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    process_s = time.perf_counter() - started
    if ended.returncode != 0:
        reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        message = f"the look failed: {reason}"
        raise BenchmarkError(message)
    look: dict[str, Any] = json.loads(ended.stdout)
    if look["interrupted"]:
        message = f"the look was interrupted: {look['interrupted']}"
        raise BenchmarkError(message)
    return process_s, look
