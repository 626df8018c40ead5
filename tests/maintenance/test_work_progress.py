"""What the server's progress views are read as."""

from __future__ import annotations

from typing import Any

import pytest

from dbops.maintenance.work_progress import part_done, words


def row(command: str, phase: str, **values: Any) -> dict[str, Any]:
    return {"command": command, "phase": phase, "scanned": 0, "done": 0, "total": 0, "waits_for": None, **values}


@pytest.mark.parametrize(
    ("seen", "said", "part"),
    [
        (row("vacuum", "initializing"), "initializing", 0.0),
        (row("vacuum", "scanning heap", scanned=50, total=200), "scanning heap 25%", 0.125),
        (row("vacuum", "vacuuming indexes", scanned=200, total=200), "vacuuming indexes", 0.5),
        (row("vacuum", "vacuuming heap", scanned=200, done=100, total=200), "vacuuming heap 50%", 0.775),
        (row("analyze", "acquiring sample rows", scanned=30, total=30), "acquiring sample rows 100%", 0.98),
        (row("analyze", "computing statistics", scanned=30, total=30), "computing statistics", 0.98),
        (row("index", "building index: scanning table", scanned=1, total=2), "building index: scanning table 50%", 0.2),
        (row("index", "waiting for old snapshots", waits_for=77), "waiting for old snapshots, now for pid 77", 0.98),
        (row("index", "a phase of a later version"), "a phase of a later version", 0.0),
    ],
    ids=lambda value: value["phase"] if isinstance(value, dict) else "",
)
def test_a_phase_is_told_with_how_far_it_is(seen: dict[str, Any], said: str, part: float) -> None:
    assert words(seen) == said
    assert part_done(seen) == pytest.approx(part)
