"""`docs/contracts.md` says what the code does: every word that people may rely on is in both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class

from dbops.conf import read
from dbops.findings.baseline import Standing
from dbops.findings.finding import Basis, Confidence, Kind, Ownership, Severity, Tag
from dbops.findings.report import POINTS, RED_CAP, Outcome
from dbops.management.command import Exit
from dbops.management.faces import FORMATS
from tests.render.schemas import schema

PAGE = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text()
DJANGOS_OWN = {"--help", "-h", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback"}


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def property_names(node: Any) -> set[str]:
    """Every key that a document may have, wherever in the schema it stands."""
    if isinstance(node, list):
        return set().union(*map(property_names, node))
    if not isinstance(node, dict):
        return set()
    here = set(node["properties"]) if isinstance(node.get("properties"), dict) else set()
    return here.union(*map(property_names, node.values()))


def test_every_exit_code_is_explained_and_no_other() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d) \|", section("Exit codes"), re.MULTILINE)} == set(
        map(int, Exit)
    )


def test_every_option_of_dbanalyze_is_explained_and_no_other() -> None:
    parser = load_command_class("dbops", "dbanalyze").create_parser("manage.py", "dbanalyze")
    options = {option for action in parser._actions for option in action.option_strings} - DJANGOS_OWN

    explained = set(re.findall(r"`(--?[a-z-]+)", section("Options"))) - {"-vv"}

    assert explained == options


def test_every_key_of_the_json_is_in_the_outline_and_no_other() -> None:
    outline = section("JSON of dbanalyze").partition("```")[2].partition("```")[0]

    assert set(re.findall(r'"(\w+)"', outline)) == property_names(schema("dbanalyze"))


def test_every_key_of_a_baseline_is_in_its_outline_and_no_other() -> None:
    outline = section("Baselines").partition("```")[2].partition("```")[0]

    assert set(re.findall(r'"(\w+)"', outline)) == property_names(schema("baseline"))


def test_every_format_is_explained_and_no_other() -> None:
    option = re.search(r"^\| `--format (\S+)`", section("Options"), re.MULTILINE)

    assert option is not None
    assert option[1].split("\\|") == list(FORMATS)
    explained = re.findall(r"^- `(\w+)`", section("Other formats"), re.MULTILINE)
    assert explained == [name for name in FORMATS if name not in {"text", "json"}]


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (Kind, "Targets"),
        (Severity, "JSON of dbanalyze"),
        (Confidence, "JSON of dbanalyze"),
        (Basis, "JSON of dbanalyze"),
        (Ownership, "JSON of dbanalyze"),
        (Ownership, "Ownership and severity"),
        (Outcome, "JSON of dbanalyze"),
        (Tag, "JSON of dbanalyze"),
        (Standing, "JSON of dbanalyze"),
    ],
)
def test_every_word_is_there(words: Any, title: str) -> None:
    missing = [word for word in words if f"`{word}`" not in section(title)]

    assert missing == []


def test_the_setting_that_is_shown_is_accepted() -> None:
    example = section("The setting").partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102  our own page

    found, problems = read(names["DBOPS"])

    assert problems == []
    assert found.disabled == {"unlogged_table"}
    assert found.thresholds == {"exhausted_sequence": {"used_ratio": 0.7}, "slow_query": {"mean_ms": 100}}


def test_the_points_are_those_that_are_taken() -> None:
    text = section("Score")

    assert f"{POINTS[Severity.CRITICAL]:g} for a critical finding, {POINTS[Severity.WARNING]:g} for a warning" in text
    assert POINTS[Severity.INFO] == 0
    assert f"at most {RED_CAP} while a red condition holds" in text
