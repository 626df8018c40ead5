"""The account a server runs as: PostgreSQL refuses root, so root hands the server to an account without rights."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

UNPRIVILEGED_ACCOUNTS = ("postgres", "nobody")


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """Whom a server's processes and files belong to. `other` is whether that is somebody else than we are."""

    name: str
    uid: int
    gid: int
    other: bool

    def run(self, argv: Sequence[str | Path], *, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a program as this account to its end, output captured; its return code is the caller's to judge."""
        return subprocess.run(  # noqa: S603 -- programs of the server's own directory, no shell
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            cwd="/",
            env=_environment(),
            **self._identity(),
        )

    def spawn(self, argv: Sequence[str | Path], *, log_path: Path, keep_open: int) -> int:
        """Start a server that outlives us and return its pid.

        It gets a session of its own (the starting terminal's Ctrl-C never reaches it), none of our pipes, and of our
        files only `keep_open`, whose lock it holds for as long as any process of it lives. The shell in between is
        gone at once, so the server is never our child and leaves no zombie with us.
        """
        shell = ("/bin/sh", "-c", 'log="$1"; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!', "sh")
        started = subprocess.run(  # noqa: S603 -- a fixed script; the programs and paths are its positional parameters
            (*shell, log_path, *argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=True,
            cwd="/",
            env=_environment(),
            start_new_session=True,
            pass_fds=(keep_open,),
            umask=0o077,
            **self._identity(),
        )
        return int(started.stdout)

    def take(self, path: Path) -> None:
        """Make `path`, which we just made, this account's."""
        if self.other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_execute(self, program: Path) -> bool:
        """Whether the account can run the program, asked by running it: modes, ACLs and mount options all count."""
        try:
            return self.run((program, "--version"), timeout_s=30).returncode == 0
        except (PermissionError, FileNotFoundError):
            return False

    def can_enter(self, directory: Path) -> bool:
        """Whether the account can reach what lies in the directory, asked as that account."""
        return not self.other or self.run(("/bin/sh", "-c", 'cd "$1"', "sh", directory)).returncode == 0

    def _identity(self) -> _Identity:
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.other else {}


def server_account(owner_uids: Collection[int] = ()) -> Account:
    """Ourselves; for root `postgres` where that account exists, else `nobody`. Adds no account to the system.

    `owner_uids` say whose the data at hand is: root keeps that account, even where `postgres` has been added since.
    """
    uid = os.geteuid()
    if uid != 0:
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            raise EmbeddedServerError(
                f"uid {uid} has no account on this machine, and PostgreSQL's initdb refuses such a user",
                hint="set DATABASE_URL to a server that is running, or run as an account of /etc/passwd",
            ) from None
        return Account(entry.pw_name, uid, os.getegid(), other=False)
    accounts = [found for name in UNPRIVILEGED_ACCOUNTS if (found := _entry(name)) is not None]
    if not accounts:
        raise EmbeddedServerError(
            "PostgreSQL refuses to run as root, and there is neither an account postgres nor nobody to run it as",
            hint="run as an ordinary user, or set DATABASE_URL to a server that is running",
        )
    chosen = min(accounts, key=lambda found: found.pw_uid not in owner_uids)
    return Account(chosen.pw_name, chosen.pw_uid, chosen.pw_gid, other=True)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return entry if entry.pw_uid != 0 else None


def _environment() -> Mapping[str, str]:
    """What a server sees of our environment: no PG* variable and no language that would change what it does or says."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C", "HOME": "/"}
