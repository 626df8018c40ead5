"""Commands that can be pasted."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from dbops.embedded.invocation import manage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an environment of its own, whose Python runs, and nothing on PATH."""
    programs = place / "a project/.venv/bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.chdir(place / "a project")
    return place / "a project"


def test_where_python_is_another_one_or_none_the_running_one_is_named(project: Path) -> None:
    assert manage("embedded stop") == ".venv/bin/python manage.py embedded stop"


def test_in_an_activated_environment_it_is_python(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project / ".venv/bin"))
    assert manage("embedded stop") == "python manage.py embedded stop"


def test_from_elsewhere_it_is_the_whole_path_quoted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.parent / "elsewhere").mkdir()
    monkeypatch.chdir(project.parent / "elsewhere")
    assert manage("demo") == f"'{project}/.venv/bin/python' manage.py demo"
