"""What a workload offers, and which of the installed apps are one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from django.apps import apps
from django.utils.module_loading import module_has_submodule

if TYPE_CHECKING:
    from collections.abc import Callable

# Seeded times are counted back from here unless another time is given, so that the same call makes the same bytes.
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Progress(Protocol):
    """Told after each step how many of `total` rows of `what` are done."""

    def __call__(self, done: int, total: int, what: str) -> None: ...


def silent(done: int, total: int, what: str) -> None:
    """The progress nobody looks at."""


@dataclass(frozen=True, slots=True)
class SeedRequest:
    """How much data to make, and where.

    `scale` 1 is the size at which a workload's targets are stated (10,000 users for `accounts`, and everybody counts
    in users, so that all workloads agree on who exists). The same scale, seed and now make the same rows.
    """

    using: str = "default"
    scale: float = 1.0
    seed: int = 1
    now: datetime = EPOCH
    progress: Progress = field(default=silent)

    USERS_AT_SCALE_1 = 10_000

    @property
    def users(self) -> int:
        return max(1, round(self.USERS_AT_SCALE_1 * self.scale))


@dataclass(frozen=True, slots=True)
class Workload:
    """One app's offer. `after` names the labels of apps whose rows must be there first."""

    summary: str
    seed: Callable[[SeedRequest], None]
    after: tuple[str, ...] = ()


def installed_workloads() -> dict[str, Workload]:
    """App label → workload of every installed app that has one, each after those whose rows it needs.

    An app in `after` that is not installed or has no workload is not waited for: its rows come from elsewhere.
    Raises graphlib.CycleError when two wait for each other.
    """
    found: dict[str, Workload] = {}
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, "workload"):
            workload = getattr(import_module(f"{app.name}.workload"), "WORKLOAD", None)
            if isinstance(workload, Workload):
                found[app.label] = workload
    order = TopologicalSorter({label: workload.after for label, workload in found.items()}).static_order()
    return {label: found[label] for label in order if label in found}
