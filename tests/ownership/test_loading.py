"""Migrations in whatever state: history, or one line that says why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import override_settings

from dbops.ownership.loading import load_history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = "from django.db import migrations\nclass Migration(migrations.Migration):\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The migrations of `sessions`, in a package made for one test."""
    name = f"migrations_of_{abs(hash(request.node.nodeid))}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    with override_settings(MIGRATION_MODULES={"sessions": name}):
        yield tmp_path / name


def test_the_projects_own_migrations_are_read() -> None:
    history = load_history()
    assert history.note is None
    assert history.model(("sessions", "session")) == "0001_initial"


def test_an_app_without_migrations_has_no_history() -> None:
    with override_settings(MIGRATION_MODULES={"sessions": None}):
        history = load_history()
    assert history.note is None
    assert history.model(("sessions", "session")) is None


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            {"0002_b": HEAD + '    dependencies = [("sessions", "0001_a")]\n'},
            "Migration sessions.0002_b dependencies reference nonexistent parent node ('sessions', '0001_a')",
        ),
        (
            {
                "0001_a": HEAD + '    dependencies = [("sessions", "0002_b")]\n',
                "0002_b": HEAD + '    dependencies = [("sessions", "0001_a")]\n',
            },
            "CircularDependencyError: sessions.",
        ),
        ({"0001_a": "this is no Python"}, "SyntaxError: invalid syntax"),
        ({"0001_a": "import nowhere_to_be_found"}, "No module named 'nowhere_to_be_found'"),
        ({"0001_a": "undefined"}, "NameError: name 'undefined' is not defined"),
        ({"0001_a": "raise OSError"}, "OSError"),
        ({"0001_a": ""}, "Migration 0001_a in app sessions has no Migration class"),
        ({"0001_a": HEAD + "    operations = [None, 1]\n    dependencies = 7\n"}, "'int' object is not iterable"),
    ],
    ids=["missing parent", "circle", "syntax", "import", "name", "silent", "no class", "no migration"],
)
def test_broken_migrations_are_said_to_be_so(package: Path, files: dict[str, str], reason: str) -> None:
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    history = load_history()
    assert history.note is not None
    assert history.note.startswith("no migration is named, for the migrations cannot be read: ")
    assert reason in history.note
    assert "\n" not in history.note
    assert history.model(("auth", "user")) is None


def test_replaced_migrations_give_way_to_the_squashed_one(package: Path) -> None:
    made = '    operations = [migrations.CreateModel("Session", [])]\n'
    (package / "0001_a.py").write_text(HEAD + made)
    assert load_history().model(("sessions", "session")) == "0001_a"
    (package / "0001_squashed.py").write_text(HEAD + '    replaces = [("sessions", "0001_a")]\n' + made)
    assert load_history().model(("sessions", "session")) == "0001_squashed"
    (package / "0001_a.py").unlink()
    assert load_history().model(("sessions", "session")) == "0001_squashed"


def test_two_branches_that_nobody_merged_are_both_read(package: Path) -> None:
    (package / "0001_a.py").write_text(HEAD + '    operations = [migrations.CreateModel("A", [])]\n')
    for letter in "bc":
        text = (
            f'    dependencies = [("sessions", "0001_a")]\n    operations = [migrations.CreateModel("{letter}", [])]\n'
        )
        (package / f"0002_{letter}.py").write_text(HEAD + text)
    history = load_history()
    assert [history.model(("sessions", letter)) for letter in "abc"] == ["0001_a", "0002_b", "0002_c"]
    assert history.position("sessions", "0001_a") < history.position("sessions", "0002_c")
