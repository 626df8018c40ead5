"""What this app offers as a workload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from dbops.workloads.registry import Workload

from . import seeding

if TYPE_CHECKING:
    from dbops.workloads.registry import SeedRequest


def seed(request: SeedRequest) -> None:
    seeding.seed(request.using, users=request.users, seed=request.seed, now=request.now, progress=request.progress)


# The users must be there first, whichever app makes them.
WORKLOAD = Workload(
    summary="ten tasks per user, a few users with hundreds", seed=seed, after=(settings.AUTH_USER_MODEL.split(".")[0],)
)
