"""How long the workloads take at the size their targets are stated for. Prints; judges nothing.

.venv/bin/pytest tests/benchmarks/bench_workloads.py -s     on PostgreSQL 18
.venv/bin/pytest tests/benchmarks/bench_workloads.py -s --django-server pg15
"""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.db.models import Count

from dbops.workloads.accounts.models import Permission, User
from dbops.workloads.tasks.models import Task
from tests.workloads.rows import everything_seeded

if TYPE_CHECKING:
    from collections.abc import Callable

REPETITIONS = 100


def milliseconds(action: Callable[[], object]) -> list[float]:
    """The times of `action` in their order, each time undone."""
    times = []
    for _ in range(REPETITIONS):
        with transaction.atomic():
            started_at = time.perf_counter()
            action()
            times.append((time.perf_counter() - started_at) * 1000)
            transaction.set_rollback(True)
    return sorted(times)


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(600)
def test_workloads_at_scale_1() -> None:
    started_at = time.perf_counter()
    with everything_seeded():
        version = ".".join(map(str, connection.get_database_version()))
        print(f"\nPostgreSQL {version} (ms; target of the median)")
        print(f"  {'seed 10,000 users and 100,000 tasks':<40} {time.perf_counter() - started_at:8.2f} s      15 s")
        by_tasks = User.objects.annotate(number=Count("tasks"))
        busiest = by_tasks.order_by("-number", "id")[0]
        hundred = by_tasks.filter(number__gte=100).order_by("number", "id")[0].pk
        tasks = Task.objects.of_user(busiest)
        actions: dict[str, tuple[float, Callable[[], object]]] = {
            "a user's tasks": (5, lambda: list(tasks[:50])),
            "a user's pending tasks": (3, lambda: list(tasks.pending()[:50])),
            "a user's completed tasks": (3, lambda: list(tasks.completed()[:50])),
            "create a task": (8, lambda: Task.objects.create(user=busiest, title="one more")),
            "delete a user with 100 tasks": (15, lambda: User(pk=hundred).delete()),
            "find a user by e-mail": (2, lambda: User.objects.get_by_natural_key(busiest.email.upper())),
            "a user's permissions": (100, lambda: set(Permission.objects.granted_to(busiest))),
            "100 users with their roles": (100, lambda: list(User.objects.with_roles()[:100])),
        }
        for what, (target_ms, action) in actions.items():
            times = milliseconds(action)
            p95 = times[int(len(times) * 0.95)]
            print(f"  {what:<40} median {median(times):6.2f}  p95 {p95:6.2f}   {target_ms:4}")
