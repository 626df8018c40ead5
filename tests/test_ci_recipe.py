"""`docs/ci.md` is run: its commands, as they stand there, on a project that has nothing to do with this one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from tests.servers import Database

PROJECT: Final = Path(__file__).parent.parent
PAGE: Final = (PROJECT / "docs" / "ci.md").read_text(encoding="utf-8")
FENCES: Final = [token for token in MarkdownIt().parse(PAGE) if token.type == "fence"]
FIRST_LOOK, ACCEPT, BUILD, RENEW = [token.content for token in FENCES if token.info == "sh"]
GITHUB, GITLAB = [token.content for token in FENCES if token.info == "yaml"]
#: Each step starts a process: what the checks find on every PostgreSQL is tested where they are.
ONE_VERSION: Final = pytest.mark.parametrize("server", ["pg18"], indirect=True)
#: What the runner has done before: it cannot be done here.
INSTALL: Final = "python -m pip install"

SETTINGS: Final = """
INSTALLED_APPS += ["dbops", "shop"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": {name!r}}}}}
"""
SOUND: Final = """
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=200)
    mail = models.CharField(max_length=200)

    class Meta:
        indexes = [models.Index(fields=["name"], name="customer_name")]
"""
ONE_FAULT: Final = SOUND.replace(
    'name="customer_name")', 'name="customer_name"), models.Index(fields=["name"], name="customer_name_again")'
)
TWO_FAULTS: Final = ONE_FAULT.replace(
    'name="customer_name_again")',
    'name="customer_name_again"), models.Index(fields=["mail"], name="mail_1"),'
    ' models.Index(fields=["mail"], name="mail_2")',
)


@dataclass(frozen=True)
class Site:
    """A stock project with one app, as a build has it checked out."""

    directory: Path
    environment: dict[str, str]
    database: Database

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run lines as a step of a build runs them, on an empty database."""
        self.database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return subprocess.run(
            ("sh", "-euc", script),
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def declare(self, models: str) -> None:
        """Write the models and their migration."""
        (self.directory / "shop" / "models.py").write_text(models)
        made = self.shell("python manage.py makemigrations --verbosity 0 shop")
        assert made.returncode == 0, made.stderr


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",  # models change within a second, which a cache does not tell
        "PGHOST": str(database.server.cluster.socket_dir),
        "PGUSER": "postgres",
    }
    for arguments in ("startproject", "bakery", "."), ("startapp", "shop"):
        subprocess.run((sys.executable, "-m", "django", *arguments), cwd=tmp_path, check=True, env=environment)
    with (tmp_path / "bakery" / "settings.py").open("a") as settings:
        settings.write(SETTINGS.format(name=database.name))
    return Site(tmp_path, environment, database)


def commands(workflow: str) -> list[str]:
    """The commands of a workflow's steps, without what the runner has done before."""
    found = re.findall(r"^ *(?:- )?(?:run: |- )(python .*)$", workflow, re.MULTILINE)
    return [command for command in found if not command.startswith(INSTALL)]


def plain(command: str) -> str:
    """A command without where its report goes and how it looks."""
    return re.sub(r" --(format|output) \S+", "", command)


@ONE_VERSION
def test_a_build_fails_on_what_is_new_and_names_only_that(site: Site) -> None:
    site.declare(SOUND)
    assert site.shell(FIRST_LOOK).returncode == 0

    site.declare(ONE_FAULT)
    first = site.shell(FIRST_LOOK)
    accepted = site.shell(ACCEPT)
    passed = site.shell(BUILD)

    assert (first.returncode, first.stderr) == (1, "")
    assert "duplicate_index  public.customer_name_again" in first.stdout
    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert "customer_name_again" in (site.directory / "dbops-baseline.json").read_text()
    assert (passed.returncode, passed.stderr) == (0, "")
    assert "Nothing new was found" in passed.stdout

    site.declare(TWO_FAULTS)
    failed = site.shell(BUILD)

    assert (failed.returncode, failed.stderr) == (1, "")
    assert re.findall(r"^(?:WARNING|CRITICAL)  *(.*?)   ", failed.stdout, re.MULTILINE) == [
        "duplicate_index  public.mail_2"
    ]
    assert "customer_name_again" not in failed.stdout

    site.declare(SOUND)
    mended = site.shell(BUILD)
    renewed = site.shell("python manage.py migrate --no-input --verbosity 0\n" + RENEW)

    assert mended.returncode == 0
    assert "gone     duplicate_index public.customer_name_again: remove from the baseline" in mended.stdout
    assert (renewed.returncode, renewed.stderr) == (0, "")
    baseline = json.loads((site.directory / "dbops-baseline.json").read_text())
    assert "customer_name_again" not in {entry["target"] for entry in baseline["findings"]}


@ONE_VERSION
def test_the_steps_of_the_workflows_do_what_the_commands_do(site: Site) -> None:
    site.declare(ONE_FAULT)
    assert site.shell(ACCEPT).returncode == 0
    site.declare(TWO_FAULTS)
    migrate, annotate, scan = commands(GITHUB)
    migrate_too, test = commands(GITLAB)

    annotated = site.shell(f"{migrate}\n{annotate}")
    scanned = site.shell(f"{migrate}\n{scan}")
    tested = site.shell(f"{migrate_too}\n{test}")

    assert annotated.returncode == 1
    errors = [line for line in annotated.stdout.splitlines() if line.startswith("::error ")]
    assert len(errors) == 1
    assert errors[0].startswith("::error title=duplicate_index public.mail_2,file=shop/models.py,line=")
    assert scanned.returncode == 0, scanned.stderr
    [run] = json.loads((site.directory / "dbops.sarif").read_text())["runs"]
    new = [result for result in run["results"] if result["baselineState"] == "new"]
    assert [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in new] == [
        "shop/models.py"
    ]
    assert tested.returncode == 1
    suites = ET.fromstring((site.directory / "dbops.xml").read_bytes())  # noqa: S314  our own text
    assert [failure.attrib["message"] for failure in suites.iter("failure")] == ["public.mail_2"]


def test_the_workflows_have_the_commands_of_the_page() -> None:
    build = BUILD.splitlines()

    migrate, annotate, scan = commands(GITHUB)
    assert [migrate, plain(annotate)] == build
    assert plain(scan) == build[1].replace("--fail-on warning", "--fail-on never")
    assert list(map(plain, commands(GITLAB))) == build
    assert FIRST_LOOK.splitlines() == [build[0], build[1].partition(" --baseline")[0]]


@pytest.mark.parametrize("workflow", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_a_workflow_is_yaml_of_the_plainest_kind(workflow: str) -> None:
    """There is no reader of YAML here: a line is a key, a key with a value, or an item, at most one step further in."""
    depth = 0
    for line in workflow.splitlines():
        found = re.fullmatch(r"( *)((?:- )*)(?:[\w-]+:(?: [^:#\s].*)?|[^:\s][^#]*)", line)
        assert found is not None, line
        indent = len(found[1])
        assert indent % 2 == 0, line
        assert indent <= depth, line
        opens = line.endswith(":")
        depth = indent + len(found[2]) + (2 if opens else 0)
        assert ": " not in line.partition(": ")[2], line
