"""A clone of the project that somebody runs, with embedded servers of its own."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dbops.embedded.places import private_name
from dbops.embedded.project import SOCKETS_DIRECTORY

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.people import Person

PROJECT = Path(__file__).parents[2]


def copy_project(target: Path) -> Path:
    """A copy of what a clone of the project has and a run of it needs: it has servers of its own."""
    target.mkdir()
    for name in ("config", "dbops", "templates"):
        shutil.copytree(PROJECT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(PROJECT / "manage.py", target)
    return target


@dataclass(frozen=True)
class Clone:
    person: Person
    project: Path

    def manage(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.person.run("manage.py", *arguments, cwd=self.project, environment=environment)

    @property
    def socket_dir(self) -> Path:
        return SOCKETS_DIRECTORY / private_name(self.project, self.person.account.uid)

    def data_dir(self) -> Path:
        """As the status says."""
        status = self.manage("embedded", "status").stdout
        return Path(next(line.partition(" ")[2].strip() for line in status.splitlines() if line.startswith("data")))


@contextmanager
def cloned(somebody: Person, project: Path) -> Iterator[Clone]:
    copy_project(project)
    for path in (project, *project.rglob("*")):
        somebody.account.take(path)
    clone = Clone(somebody, project)
    try:
        yield clone
    finally:
        ended = clone.manage("embedded", "reset", "--yes")
        assert ended.returncode == 0, ended.stderr
        if clone.socket_dir.exists():
            shutil.rmtree(clone.socket_dir)
