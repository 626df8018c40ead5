"""Who runs things: root and an ordinary user, each with an empty home, as far as the tests' own user can be them."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dbops.embedded.account import Account

if TYPE_CHECKING:
    from collections.abc import Mapping

PEOPLE = ("root", "ordinary user")
TESTS_OWN = "the tests' own user"


@dataclass(frozen=True)
class Person:
    """Somebody with a Python that has the project's packages, and a home directory with nothing in it."""

    account: Account
    home: Path
    python: tuple[str, Mapping[str, str]]

    def run(
        self, *arguments: str | Path, cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with the arguments to its end, in a clean environment."""
        program, needed = self.python
        return subprocess.run(
            (program, *arguments),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **needed, **environment},
            user=self.account.uid,
            group=self.account.gid,
            extra_groups=[] if os.geteuid() == 0 else None,
        )


def person(name: str, home: Path) -> Person:
    """Root, an ordinary user, or whoever runs the tests.

    Skips the test where the tests' user cannot be that, or where there is no Python for it.
    """
    if name == "root" and os.geteuid() != 0:
        pytest.skip("the tests do not run as root")
    if name in {"root", TESTS_OWN}:
        own = pwd.getpwuid(os.geteuid())
        return Person(Account(own.pw_name, own.pw_uid, own.pw_gid, other=False), home, (sys.executable, {}))
    uid = os.geteuid() or pwd.getpwnam("nobody").pw_uid
    entry = pwd.getpwuid(uid)
    account = Account(entry.pw_name, uid, entry.pw_gid, other=os.geteuid() == 0)
    account.take(home)
    return Person(account, home, _python_for(account))


def _python_for(account: Account) -> tuple[str, Mapping[str, str]]:
    packages = sysconfig.get_path("purelib")
    system = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    for program, needed in ((Path(sys.executable), {}), (system, {"PYTHONPATH": packages})):
        if account.can_execute(program) and account.can_enter(Path(packages)):
            return str(program), needed
    pytest.skip(f"no Python of this version with the packages can be run by {account.name}")
