"""The migrations that the project has files of, and in which database they have anything to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.test import override_settings

from dbops.collect.migrations import migrations_of
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.snapshot.migration_rows import Migration

HEAD = "from django.db import migrations\nclass Migration(migrations.Migration):\n"


class SessionsElsewhere:
    """A router that keeps the sessions in a database of their own."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return (db == "elsewhere") == (app_label == "sessions")


class NothingMoves:
    """A router of a database that is only read."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db == "default"


def migrations(alias: str = "default") -> tuple[Migration, ...]:
    section = migrations_of(alias, apps)
    assert not isinstance(section, Unavailable), section
    return section


def apps_in(alias: str) -> set[str]:
    return {migration.app_label for migration in migrations(alias) if migration.runs_here}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A package that a test makes the migrations of `sessions` in."""
    package = tmp_path / f"migrations_in_{abs(hash(request.node.nodeid))}"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    return package


def test_the_projects_own_come_in_the_order_in_which_they_are_applied() -> None:
    labels = [migration.label for migration in migrations()]
    assert labels.index("contenttypes.0001_initial") < labels.index("auth.0001_initial")
    assert labels.index("auth.0001_initial") < labels.index("auth.0002_alter_permission_name_max_length")
    assert labels.index("dbops_accounts.0001_initial") < labels.index("dbops_tasks.0001_initial")
    assert len(labels) == len(set(labels))


def test_what_is_replaced_stands_beside_the_squashed_one(package: Path) -> None:
    names = ("0001_a", "0002_b", "0003_c")
    for before, name in zip((None, *names), names, strict=False):
        dependencies = [("sessions", before)] if before else []
        (package / f"{name}.py").write_text(f"{HEAD}    dependencies = {dependencies}\n")
    replaces = [("sessions", "0001_a"), ("sessions", "0002_b")]
    (package / "0001_squashed.py").write_text(f"{HEAD}    replaces = {replaces}\n")
    with override_settings(MIGRATION_MODULES={"sessions": package.name}):
        found = [migration for migration in migrations() if migration.app_label == "sessions"]
    assert [(migration.name, migration.replaces) for migration in found] == [
        ("0001_a", ()),
        ("0001_squashed", ("sessions.0001_a", "sessions.0002_b")),
        ("0002_b", ()),
        ("0003_c", ()),
    ]


def test_a_broken_graph_makes_the_section_unavailable_with_the_reason(package: Path) -> None:
    (package / "0002_b.py").write_text(f'{HEAD}    dependencies = [("sessions", "0001_a")]\n')
    with override_settings(MIGRATION_MODULES={"sessions": package.name}):
        section = migrations_of("default", apps)
    assert section == Unavailable(
        "the migrations cannot be read: NodeNotFoundError: Migration sessions.0002_b dependencies reference "
        "nonexistent parent node ('sessions', '0001_a')"
    )


def test_an_app_runs_where_the_routers_let_its_models_be() -> None:
    everywhere = apps_in("default")
    assert {"auth", "dbops_tasks", "sessions"} <= everywhere
    with override_settings(DATABASE_ROUTERS=[SessionsElsewhere()]):
        assert apps_in("default") == everywhere - {"sessions"}
        assert apps_in("elsewhere") == {"sessions"}


def test_a_replica_is_migrated_as_the_default_database_is() -> None:
    with override_settings(DATABASE_ROUTERS=[NothingMoves()]):
        assert apps_in("replica") == apps_in("default")
