"""Making a data directory: complete or not at all."""

from __future__ import annotations

import errno
import shutil
import time
from typing import TYPE_CHECKING

from dbops.embedded.endpoint import SUPERUSER
from dbops.embedded.places import write_file
from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from pathlib import Path

    from dbops.embedded.account import Account
    from dbops.embedded.binaries import Binaries

MARKER = "dbops-cluster"
SETTINGS = "dbops.conf"
LOCALES = ("C.UTF-8", "C")
LEFTOVERS_TIMEOUT_S = 15


def make_data_directory(data_dir: Path, binaries: Binaries, account: Account) -> None:
    """Run initdb beside `data_dir` and move the result there, so that an interrupted one leaves nothing half made.

    UTF8 and checksums in any case; C.UTF-8 where the system has it, else C. Whoever reaches the socket is let in.
    """
    new = data_dir.with_name(f"{data_dir.name}.new")
    for locale in LOCALES:
        _remove(new)
        new.mkdir(mode=0o700)
        account.take(new)
        made = account.run(
            (
                *(binaries.program("initdb"), "-D", new, "-U", SUPERUSER, "-A", "trust"),
                *("-E", "UTF8", f"--locale={locale}", "--data-checksums", "--no-sync", "--no-instructions"),
            )
        )
        if "invalid locale name" not in made.stderr:
            break
    if made.returncode != 0:
        words = (made.stderr.strip() or made.stdout.strip() or "no reason given").splitlines()
        raise EmbeddedServerError(
            f"PostgreSQL {binaries.version} could not make a data directory: {words[-1]}",
            hint=f"try it with  {binaries.program('initdb')} -D {data_dir}",
        )
    with (new / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(f"\ninclude '{SETTINGS}'\n")
    write_file(new / MARKER, "Made by dbops; python manage.py embedded reset destroys it.\n", account)
    new.rename(data_dir)


def _remove(directory: Path) -> None:
    """Remove what an interrupted initdb left: its processes may still write there, or clear up, for a moment."""
    deadline = time.monotonic() + LEFTOVERS_TIMEOUT_S
    while directory.exists():
        try:
            shutil.rmtree(directory)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTEMPTY} or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def data_major(data_dir: Path) -> int | None:
    """The major version the data belongs to; None where there is no data."""
    try:
        return int((data_dir / "PG_VERSION").read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
