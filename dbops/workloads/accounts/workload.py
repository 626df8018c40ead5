"""What this app offers as a workload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.workloads.registry import Workload

from . import seeding

if TYPE_CHECKING:
    from dbops.workloads.registry import SeedRequest


def seed(request: SeedRequest) -> None:
    seeding.seed(request.using, users=request.users, seed=request.seed, now=request.now, progress=request.progress)


WORKLOAD = Workload(summary="users, their roles and permissions", seed=seed)
