"""The project's own processes, in an environment that the test decides."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from dbops.embedded.provision import DATABASE, ROLE
from tests.config.clones import Clone, cloned, copy_project
from tests.people import PEOPLE, Person, person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Servers

SECRET = "kP4x9-Zq7Lr2Vt8Wm3Ns6Hb1Jc5Fd0Gy_TuEiOaBvXnRwQzYlMs"
PRODUCTION = {
    "SECRET_KEY": SECRET,
    "ALLOWED_HOSTS": "example.com",
    "DATABASE_URL": "postgresql://web:pa55word@127.0.0.1:1/shop",
}
NAME = "a deep clone" + " deep" * 20 + " with 'quotes' & $signs"
DEVELOPMENT = {"DEBUG": "1", "DBOPS_EMBEDDED": "0"}
"""For a URL of the test's own; nothing is started beside it."""


@dataclass(frozen=True)
class RunPython:
    """Runs Python in a copy of the project, with nothing in its environment but what is given."""

    project: Path

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (sys.executable, "-W", "error", *arguments),
            cwd=self.project,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="session")
def run_python(tmp_path_factory: pytest.TempPathFactory) -> RunPython:
    """In a copy of the project, where it does no harm to leave a cache in files."""
    return RunPython(copy_project(tmp_path_factory.mktemp("run") / "project"))


@pytest.fixture
def django_url(servers: Servers) -> str:
    """The URL of a database on a throw-away server, as the project's ordinary role."""
    return servers.get("pg18").cluster.url(DATABASE, user=ROLE)


@pytest.fixture(params=PEOPLE)
def somebody(request: pytest.FixtureRequest, place: Path) -> Person:
    home = place / "home"
    home.mkdir(mode=0o700)
    return person(request.param, home)


@pytest.fixture
def clone(somebody: Person, place: Path) -> Iterator[Clone]:
    with cloned(somebody, place / NAME) as made:
        yield made
