"""What the tree promises: a check has its test, a file has a name that says something, SQL says what it locks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dbops.analysis.registry import checks

ROOT = Path(__file__).parent.parent
SQL = sorted((ROOT / "dbops/collect/sql").glob("*.sql"))
DRAWERS = {"utils", "helpers", "common", "misc", "base", "core", "manager", "services", "util", "helper"}


@pytest.mark.parametrize("check", checks())
def test_a_check_has_its_test(check: str) -> None:
    assert (ROOT / f"tests/checks/test_{check}.py").exists()


def test_no_module_is_a_drawer() -> None:
    names = {path.stem for folder in ("dbops", "config", "tests") for path in (ROOT / folder).rglob("*.py")}
    assert not names & DRAWERS


@pytest.mark.parametrize("path", SQL, ids=lambda path: path.name)
def test_a_statement_says_what_it_locks(path: Path) -> None:
    assert re.search(r"^-- .*Locks: |^-- Locks: ", path.read_text(), re.MULTILINE)


def test_the_readme_and_the_package_agree_on_the_version() -> None:
    from dbops import __version__

    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
