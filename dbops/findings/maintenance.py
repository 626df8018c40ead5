"""What a round of maintenance did, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbops.findings.report import Report
    from dbops.findings.vacuum_advice import Treated, VacuumPlan


class Routine(StrEnum):
    """How often it is for; each has the steps of the one before."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class State(StrEnum):
    """How it is with a step. `done`: a report was made, or what was to be done was run, whatever came of it."""

    DONE = "done"
    TO_DO = "to do"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """How large a table is with its indexes, and by how many bytes a day it grows without them, where that is known."""

    name: str
    size_bytes: int
    index_bytes: int
    growth_per_day: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The size of the database and its largest tables. `unseen` says why growth, or something else, is not known."""

    database_bytes: int | None
    database_growth_per_day: float | None
    tables: tuple[TableSize, ...]
    unseen: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a round: `note` says in a line what it came to, or why it is not done.

    A step that works has a `plan` and, when that was carried out, `results`; one that looks a `report`. `is_busy` says
    that another run is at work.
    """

    name: str
    state: State
    note: str
    duration_s: float = 0.0
    plan: VacuumPlan | None = None
    results: tuple[Treated, ...] | None = None
    report: Report | None = None
    sizes: Sizes | None = None
    is_busy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """All steps of a routine at one database."""

    routine: Routine
    alias: str | None
    name: str
    steps: list[Step] = field(default_factory=list)
