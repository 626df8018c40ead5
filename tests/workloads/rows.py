"""Every workload's rows, for as long as they are needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import connection

from dbops.workloads.registry import SeedRequest, installed_workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = "dbops_accounts_user, dbops_accounts_role, dbops_accounts_permission"


@contextmanager
def everything_seeded(scale: float = 1.0) -> Iterator[None]:
    """Seed all installed workloads, and empty their tables afterwards."""
    try:
        for workload in installed_workloads().values():
            workload.seed(SeedRequest(scale=scale))
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TABLES} RESTART IDENTITY CASCADE")
