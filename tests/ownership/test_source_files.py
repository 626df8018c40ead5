from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dbops.findings.finding import Owner, Ownership
from dbops.findings.source import Place, Source
from dbops.ownership.loading import load_history
from dbops.ownership.source_files import SourceFiles

if TYPE_CHECKING:
    from pytest_django import Settings

    from dbops.ownership.history import History

PROJECT = Path(__file__).parents[2]
TASK = Owner(
    ownership=Ownership.MINE,
    app_label="dbops_tasks",
    model="dbops_tasks.Task",
    field="title",
    migration="0001_initial",
)
MODELS = "dbops/workloads/tasks/models.py"


@pytest.fixture(autouse=True)
def _history() -> History:
    """A migration has a name because somebody read them all."""
    return load_history()


def line(place: Place | None) -> str:
    assert place is not None
    return (PROJECT / place.path).read_text().splitlines()[place.line - 1]


def test_a_field_is_where_it_is_declared_and_its_migration_is_named_too() -> None:
    source = SourceFiles.of_project().source(TASK)

    assert source.declared is not None
    assert source.declared.path == MODELS
    assert line(source.declared).strip().startswith("title = ")
    assert source.migration == Place(path="dbops/workloads/tasks/migrations/0001_initial.py")
    assert source.first == source.declared


def test_without_a_field_of_its_own_a_model_is_its_class() -> None:
    for field in (None, "inherited_from_elsewhere", "titl", "t.tle"):
        owner = Owner(ownership=Ownership.MINE, app_label="dbops_tasks", model="dbops_tasks.Task", field=field)
        assert line(SourceFiles.of_project().source(owner).declared).startswith("class Task(")


def test_without_a_model_there_is_the_migration() -> None:
    owner = Owner(ownership=Ownership.MINE, app_label="dbops_tasks", migration="0001_initial")

    source = SourceFiles.of_project().source(owner)

    assert source.declared is None
    assert source.first == Place(path="dbops/workloads/tasks/migrations/0001_initial.py")


@pytest.mark.parametrize(
    "owner",
    [
        Owner(ownership=Ownership.CONTRIB, app_label="auth", model="auth.User", migration="0001_initial"),
        Owner(ownership=Ownership.MINE, app_label="auth", model="auth.User", migration="0001_initial"),
        Owner(ownership=Ownership.MINE, app_label="dbops_tasks", model="dbops_tasks.Gone", migration="0999_gone"),
        Owner(ownership=Ownership.MINE, model="dbops_tasks.Task_labels"),
        Owner(),
    ],
    ids=["of Django", "outside of the project", "not there", "made by Django", "nobody's"],
)
def test_what_is_not_written_in_the_project_is_nowhere(owner: Owner) -> None:
    assert SourceFiles.of_project().source(owner) == Source()


def test_paths_begin_at_the_repository(tmp_path: Path, settings: Settings) -> None:
    project = tmp_path / "backend" / "site"
    project.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(project)
    settings.BASE_DIR = link

    without = SourceFiles.of_project()
    (tmp_path / ".git").mkdir()
    inside = SourceFiles.of_project()

    (project / "models.py").touch()
    assert without._place(str(link / "models.py")) == Place(path="models.py")
    assert inside._place(str(link / "models.py")) == Place(path="backend/site/models.py")


def test_without_a_project_nothing_has_a_place() -> None:
    files = SourceFiles(None)

    assert files.source(TASK) == Source()
    assert files.settings_file == Place(path="manage.py")


def test_what_has_no_file_belongs_to_the_settings() -> None:
    assert SourceFiles.of_project().settings_file == Place(path="config/settings.py")
