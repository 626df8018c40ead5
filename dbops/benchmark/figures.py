"""What was measured, against what is promised; kept as lines of JSON, so that one run can be compared with the last."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from dbops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is measured in every run, and what it must not exceed."""

    name: str
    label: str
    unit: str
    digits: int
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one benchmark: `runs` has by a measure's name what each run took, in the order of the runs.

    `circumstances` are what the figures depend on: versions, cores, load.
    """

    benchmark: str
    taken_at: str
    size: Mapping[str, int]
    runs: Mapping[str, tuple[float, ...]]
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    steps_s: Mapping[str, float] = field(default_factory=dict)

    def minimum(self, measure: Measure) -> float:
        return min(self.runs[measure.name])

    def median(self, measure: Measure) -> float:
        return median(self.runs[measure.name])

    def misses(self, measure: Measure) -> bool:
        """Return whether the median is more than it must be."""
        return measure.most is not None and self.median(measure) > measure.most


_KEYS: Final = {"benchmark", "taken_at", "size", "runs", "circumstances", "steps_s"}


def keep(figures: Figures, path: Path) -> None:
    """Add `figures` to the file as one line.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(figures)) + "\n")
    except OSError as error:
        message = f"cannot write {path}: {(error.strerror or str(error)).lower()}"
        raise UsageError(message, hint="choose another file with --output") from error


def last_kept(path: Path, benchmark: str, size: Mapping[str, int]) -> Figures | None:
    """Return the last figures in the file for the same benchmark at the same size.

    Raises:
        UsageError: the file is something else.
    """
    if not path.exists():
        return None
    found = None
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            kept = json.loads(line)
            if kept["benchmark"] == benchmark and kept["size"] == dict(size):
                found = Figures(**{name: value for name, value in kept.items() if name in _KEYS})
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = f"{path} does not hold figures of dbbench"
        raise UsageError(message, hint="choose another file with --output") from error
    return found
