"""Where servers keep their things, and that nobody else put something there before us.

`/tmp` and `/var/tmp` are open to everybody: what we find there is used only if it belongs to the right account and
is closed to all others, and files are opened without following links.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dbops.embedded.account import Account

SOCKET_PATH_LIMIT_BYTES = 107
"""The longest path of a Unix socket that Linux takes (sizeof sun_path, less the closing zero byte)."""


def private_name(path: Path, uid: int) -> str:
    """The name of the account's directory for `path` in a directory open to all: the same in every process."""
    return f"dbops-{uid}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"


def refused(path: Path, why: str) -> EmbeddedServerError:
    """What to raise about a thing found where everybody can put things."""
    return EmbeddedServerError(
        f"{path} {why}: another user may have put it there, so it is not used",
        hint=f"look at it with  ls -ld {path}  and have it removed, or set DATABASE_URL to a server that is running",
    )


def own_directory(path: Path, account: Account) -> None:
    """Make the directory for the account alone (mode 0700), or make sure that an existing one is just that."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        # Between mkdir and chown another process of root sees root as the owner.
        owners = {account.uid, 0} if account.other else {account.uid}
        if not stat.S_ISDIR(found.st_mode):
            raise refused(path, "is not a directory") from None
        if found.st_uid not in owners:
            raise refused(path, f"belongs to {_owner(found.st_uid)}, not to {account.name}") from None
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise refused(path, f"is open to others (mode {stat.S_IMODE(found.st_mode):04o})") from None
    account.take(path)


def check_socket_path(path: Path) -> None:
    length_bytes = len(os.fsencode(path))
    if length_bytes > SOCKET_PATH_LIMIT_BYTES:
        raise EmbeddedServerError(
            f"the socket's path has {length_bytes} bytes, the system takes {SOCKET_PATH_LIMIT_BYTES}: {path}",
            hint="use a directory with a shorter path for the socket",
        )


def write_file(path: Path, text: str, account: Account) -> None:
    """Write a file for the account alone; a link in its place is refused by the system, not followed."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        if account.other:
            os.fchown(fd, account.uid, account.gid)
        file.write(text)


@contextmanager
def locked(path: Path, account: Account, *, timeout_s: float, busy: str) -> Iterator[int]:
    """Hold the exclusive lock of the file and give its descriptor.

    The lock lives as long as any process has the descriptor open: a server that was given it holds the lock on after
    we are done. `busy` is what the error says when somebody else holds it for `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while (fd := _open_locked(path, account)) is None:
        if time.monotonic() > deadline:
            raise EmbeddedServerError(busy, hint=f"see who it is with  fuser -v {path}")
        time.sleep(0.02)
    try:
        yield fd
    finally:
        os.close(fd)


def is_locked(path: Path) -> bool:
    """Whether any process holds the file's lock."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        return not _lock(fd)
    finally:
        os.close(fd)


def _open_locked(path: Path, account: Account) -> int | None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if account.other:
        os.fchown(fd, account.uid, account.gid)
    # A file that was removed while we waited for it locks nobody out.
    if _lock(fd) and _is_still_there(path, fd):
        return fd
    os.close(fd)
    return None


def _is_still_there(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
