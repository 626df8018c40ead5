"""Workloads are found among the installed apps, in an order in which their rows can be made."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from django.apps import AppConfig, apps

from dbops.workloads import registry
from dbops.workloads.registry import SeedRequest, installed_workloads


def test_users_come_before_the_tasks_that_refer_to_them() -> None:
    assert list(installed_workloads()) == ["dbops_accounts", "dbops_tasks"]


def test_a_workload_does_not_wait_for_an_app_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = apps.get_app_config("dbops_tasks")
    monkeypatch.setattr(apps, "get_app_configs", lambda: [tasks])

    assert list(installed_workloads()) == ["dbops_tasks"]


@pytest.mark.parametrize("content", [{}, {"WORKLOAD": "not one"}])
def test_an_app_with_a_module_of_that_name_is_not_a_workload_by_it(
    content: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    package, module = ModuleType("elsewhere"), ModuleType("elsewhere.workload")
    package.__file__, package.__path__ = "/elsewhere/__init__.py", ["/elsewhere"]
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, "elsewhere", package)
    monkeypatch.setitem(sys.modules, "elsewhere.workload", module)
    monkeypatch.setattr(registry, "module_has_submodule", lambda _package, _name: True)
    monkeypatch.setattr(apps, "get_app_configs", lambda: [AppConfig("elsewhere", package)])

    assert installed_workloads() == {}


def test_scale_counts_in_users_and_makes_at_least_one() -> None:
    assert [SeedRequest(scale=scale).users for scale in (1, 0.05, 100, 0.000_001)] == [10_000, 500, 1_000_000, 1]


def test_what_is_offered_says_what_it_is() -> None:
    assert all(workload.summary for workload in installed_workloads().values())
