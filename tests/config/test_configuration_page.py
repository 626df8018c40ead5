"""docs/configuration.md against the code."""

from __future__ import annotations

import ast
import re

from config import variables
from tests.config.clones import PROJECT

ROW = re.compile(
    r"^\| `(?P<name>[A-Z_]+)`(?: \(also `(?P<also>[A-Z_]+)`\))? \| (?P<default>.*?) \| (?P<applies>.*?) \| .+ \|$"
)


def test_the_table_is_what_is_declared() -> None:
    page = (PROJECT / "docs/configuration.md").read_text(encoding="utf-8")
    documented = [match.groups() for line in page.splitlines() if (match := ROW.match(line))]
    assert documented == [(each.name, each.also, each.shown_default, each.applies) for each in variables.declared()]


def test_what_is_declared_is_used_under_its_name() -> None:
    settings = (PROJECT / "config/settings.py").read_text(encoding="utf-8")
    read = re.findall(r"\benv\.([A-Z_]+)\.read\(\)", settings)
    assert sorted(read) == sorted(each.name for each in variables.declared())
    assert all(getattr(variables, each.name) is each for each in variables.declared())


def test_no_other_module_reads_the_environment_for_its_configuration() -> None:
    # config.entry names the settings module and knows the reloader's child; config.environment is the reader.
    allowed = {"config/entry.py", "config/environment.py", "dbops/embedded/account.py"}
    readers = set()
    for path in (*PROJECT.glob("config/**/*.py"), *PROJECT.glob("dbops/embedded/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
                readers.add(path.relative_to(PROJECT).as_posix())
    assert readers == allowed
