"""A Django project written into a directory, whose management commands and own code run in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).parent.parent.parent
DRIVER_NAMES = {"dbname": "NAME", "user": "USER", "host": "HOST", "port": "PORT"}
MANAGE = """
import sys
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "a secret of tests"
INSTALLED_APPS = {apps!r}
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "OPTIONS": {options!r}, **{database!r}}}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""


@dataclass
class GeneratedProject:
    """A project at `root` on the database of `dsn`; `path` has further directories to import from."""

    root: Path
    dsn: str
    path: Sequence[Path] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    def settings(self, *apps: str, extra: str = "") -> None:
        """Write the settings and manage.py."""
        known = conninfo_to_dict(self.dsn)
        database = {name: str(known[key]) for key, name in DRIVER_NAMES.items() if key in known}
        text = SETTINGS.format(apps=list(apps), options=dict(self.options), database=database)
        self.write("config/settings.py", text + textwrap.dedent(extra))
        self.write("config/__init__.py")
        self.write("manage.py", MANAGE)

    def write(self, name: str, text: str = "") -> Path:
        """Write a file below the root (or at an absolute path), and make the packages above it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def app(self, name: str, models: str, *, place: Path | None = None) -> None:
        """Write an app with an empty migrations package; below `place` when that is given."""
        directory = (place or self.root) / name
        self.write(str(directory / "__init__.py"))
        self.write(str(directory / "models.py"), "from django.db import models\n" + textwrap.dedent(models))
        self.write(str(directory / "migrations" / "__init__.py"))

    def manage(self, *arguments: str) -> str:
        """Run a management command; it has to succeed."""
        return self._run("manage.py", *arguments)

    def ask(self, question: str, given: object = None) -> Any:
        """Run tests.ownership.inside in the project: its answer to a question, `given` what it is about."""
        return json.loads(self._run("-m", "tests.ownership.inside", question, given=json.dumps(given)))

    def _run(self, *arguments: str, given: str = "") -> str:
        path = os.pathsep.join(str(place) for place in (self.root, *self.path, REPOSITORY))
        ran = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "config.settings"},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"{arguments}: {ran.stdout[-2000:]}\n{ran.stderr[-4000:]}"
        return ran.stdout
