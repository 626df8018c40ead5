"""The wheel in projects that have nothing to do with this one: what is in it, what it asks for, and that it works."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import ZipFile

import django
import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from tests.servers import Database

PROJECT: Final = Path(__file__).parent.parent
DRIVERS: Final = ("psycopg", "psycopg2")
#: What a stock project is told to do, beside what `startproject` wrote.
SETTINGS: Final = """
INSTALLED_APPS += ["dbops", "shop"]
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql", "HOST": {host!r}, "PORT": "5432", "USER": {user!r}, "NAME": {name!r},
    }}
}}
"""
MODELS: Final = """
from django.conf import settings
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=200, db_index=True)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    placed_at = models.DateTimeField(auto_now_add=True)
    total = models.DecimalField(max_digits=12, decimal_places=2)
    tags = models.ManyToManyField("Tag")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(total__gte=0), name="total_is_not_negative")]
        indexes = [models.Index(fields=["-placed_at"], name="order_newest")]


class Tag(models.Model):
    name = models.SlugField(unique=True)
"""
#: Imports every module of dbops that a project may come by; says how many, and what came along.
IMPORT_ALL: Final = """
import sys
from importlib import import_module
from pathlib import Path
import django
django.setup()
import dbops
root = Path(dbops.__file__).parent
parts = [file.relative_to(root.parent).with_suffix("").parts for file in root.rglob("*.py")]
apart = ("embedded", "health", "workloads")
names = [".".join(part) for part in parts if part[1] not in apart and part[-1] != "__init__"]
for name in names:
    import_module(name)
print(len(names), *sorted(name for name in sys.modules if name.startswith(("dbops.workloads", "psycopg"))))
"""


@pytest.fixture(scope="module", autouse=True)
def _package_index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where nothing can be installed."""
    command = ("download", "--quiet", "--no-deps", "--dest", tmp_path_factory.mktemp("probe"), "rich")
    if _pip(*command, check=False).returncode != 0:
        pytest.skip("no package index can be reached to install from")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what a clone has."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy2(PROJECT / name, source)
    for name in ("dbops", "config", "tests", "templates"):
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    _pip("wheel", "--quiet", "--no-deps", "--wheel-dir", built, source)
    (file,) = built.iterdir()
    return file


@dataclass(frozen=True)
class Site:
    """A project that `django-admin startproject` made, in an environment with the wheel and one driver."""

    directory: Path
    python: Path
    driver: str

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": "site_settings.settings"}
        ended = subprocess.run(
            (self.python, "-W", "error", *arguments),
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == status, ended.stdout + ended.stderr
        return ended

    def on(self, database: Database) -> Site:
        """Point the project at `database`, owned by an ordinary role, and migrate it."""
        owner = database.create_role(f"{database.name}_owner")
        database.execute(f"ALTER DATABASE {database.name} OWNER TO {owner}")
        settings = self.directory / "site_settings" / "settings.py"
        stock = settings.read_text().partition("\n# of the test")[0]
        place = {"host": str(database.server.cluster.socket_dir), "user": owner, "name": database.name}
        settings.write_text(stock + "\n# of the test" + SETTINGS.format(**place))
        self.run("manage.py", "migrate", "--verbosity", "0")
        return self

    def analyze(self, *arguments: str, status: int = 0) -> Any:
        ended = self.run("manage.py", "dbanalyze", "--format", "json", *arguments, status=status)
        assert ended.stderr == ""
        (report,) = json.loads(ended.stdout)["reports"]
        return report


@pytest.fixture(scope="module", params=DRIVERS)
def site(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A fresh project with an app of its own, and dbops from the wheel with that driver's extra."""
    environment, directory = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("project")
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    _pip("--python", python, "install", "--quiet", f"{wheel}[{request.param}]", f"Django=={django.__version__}")
    site = Site(directory, python, request.param)
    for arguments in ("startproject", "site_settings", "."), ("startapp", "shop"):
        subprocess.run((python, "-m", "django", *arguments), cwd=directory, env={"PATH": "/usr/bin:/bin"}, check=True)
    (directory / "shop" / "models.py").write_text(MODELS)
    # makemigrations asks a database for its history: a file will do before there is a server.
    site.run("manage.py", "makemigrations", "--verbosity", "0", "--settings", _settings_for_making(directory))
    return site


def _settings_for_making(directory: Path) -> str:
    lines = 'from site_settings.settings import *\nINSTALLED_APPS += ["dbops", "shop"]\n'
    (directory / "site_settings" / "making.py").write_text(lines)
    return "site_settings.making"


def _pip(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or ended.returncode == 0, ended.stdout + ended.stderr
    return ended


def test_the_wheel_holds_the_app_and_nothing_of_the_project(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    here = {str(path.relative_to(PROJECT)) for path in (PROJECT / "dbops").rglob("*") if path.is_file()}
    assert inside == {name for name in here if "__pycache__" not in name}


def test_the_wheel_asks_for_little_and_for_no_driver(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    needed = [Requirement(line) for line in metadata.get_all("Requires-Dist", ())]
    always = {requirement.name for requirement in needed if requirement.marker is None}
    assert always == {"Django", "rich"}
    assert set(metadata.get_all("Provides-Extra", ())) >= {*DRIVERS, "embedded", "health"}


def test_a_project_imports_no_workload_and_no_driver_but_its_own(site: Site, database: Database) -> None:
    count, *seen = site.on(database).run("-c", IMPORT_ALL).stdout.split()
    assert int(count) > 80
    other = DRIVERS[not DRIVERS.index(site.driver)]
    assert {name.partition(".")[0].partition("_")[0] for name in seen} == {site.driver}, seen
    assert site.run("-c", f"import {other}", status=1).stderr.splitlines()[-1].startswith("ModuleNotFoundError")


def test_health_without_its_library_says_what_to_install(site: Site) -> None:
    ended = site.run("-c", "import dbops.health.urls", status=1)
    assert ended.stderr.splitlines()[-1] == 'HINT: pip install "dbops[health]"'


def test_a_freshly_migrated_project_passes_at_the_first_try(site: Site, database: Database) -> None:
    report = site.on(database).analyze("--fail-on", "warning")
    found = [finding for finding in report["findings"] if finding["severity"] != "info"]
    assert not [finding for finding in found if finding["ownership"] == "mine"], found
    assert {check["outcome"] for check in report["checks"]} <= {"ok", "found", "skipped"}


def test_a_fault_in_a_project_of_its_own_is_found_with_its_model(site: Site, database: Database) -> None:
    site.on(database)
    database.execute("ALTER TABLE shop_order DROP CONSTRAINT shop_order_pkey CASCADE")
    report = site.analyze("--fail-on", "warning", "--tag", "structural", "--only", "missing_primary_key", status=1)
    (finding,) = report["findings"]
    assert (finding["target"], finding["model"], finding["ownership"]) == ("public.shop_order", "shop.Order", "mine")


def test_the_settings_are_checked_where_the_app_is_installed(site: Site, database: Database) -> None:
    site.on(database).run("manage.py", "check", "--fail-level", "WARNING")
    settings = site.directory / "site_settings" / "settings.py"
    settings.write_text(settings.read_text() + 'DBOPS = {"CHECKS": {"unknown_check": False}}\n')
    assert "unknown_check" in site.run("manage.py", "check", status=1).stderr
