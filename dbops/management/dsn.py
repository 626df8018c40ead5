"""The DSN of a database that is not in DATABASES, taken from where no other user of the machine can read a password."""

from __future__ import annotations

import os
import re
from getpass import getpass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from dbops.errors import UsageError

if TYPE_CHECKING:
    from typing import TextIO

VARIABLE: Final = "DBOPS_DSN"

_URL: Final = re.compile(r"\w+://[^/?]*")
_KEYWORD: Final = re.compile(r"\s*\w+\s*=")
#: `password`, `sslpassword` and the like as a keyword, in a URL's query or in a string of keywords.
_SECRET: Final = re.compile(r"(?:password|secret)\s*=", re.IGNORECASE)


def read_dsn(option: str | None, stdin: TextIO) -> str | None:
    """Return the DSN that `--dsn` gives: itself, with `-` a line of standard input; else that of DBOPS_DSN, or None.

    Nothing that was given is ever repeated in a message: it may hold a password in a place nobody thought of.

    Raises:
        UsageError: it holds a password where others can read it, or it is no DSN.
    """
    if option is None:
        found = os.environ.get(VARIABLE, "").strip()
        return _checked(found, VARIABLE) if found else None
    if option == "-":
        line = getpass("DSN: ") if stdin.isatty() else stdin.readline()
        return _checked(line.strip(), "standard input")
    if _has_password(option):
        message = "the DSN has a password in it, and a command line can be read by every user of this machine"
        hint = (
            f"put the DSN into the variable {VARIABLE} or into standard input (--dsn -), or the password into ~/.pgpass"
        )
        raise UsageError(message, hint=hint)
    return _checked(option.strip(), "--dsn")


def looks_like_dsn(text: str) -> bool:
    """Tell whether `text` was meant as a DSN, whatever the option it was given to."""
    return "://" in text or _KEYWORD.match(text) is not None


def _checked(dsn: str, source: str) -> str:
    if not looks_like_dsn(dsn):
        message = f"{source} does not hold a DSN"
        raise UsageError(message, hint="for example postgresql://user@host:5432/database, or host=… dbname=…")
    url = _URL.match(dsn)
    if url is not None and ("@" in dsn[url.end() :] or url[0].count("@") > 1):
        # An unencoded slash in a password puts the rest of it, and the host, into the database's name; an unencoded @
        # puts the rest of it into the host's.
        message = f"the DSN in {source} cannot be read"
        raise UsageError(message, hint="percent-encode  @ : / ? # %  in names and passwords: @ is %40")
    return dsn


def _has_password(dsn: str) -> bool:
    _, is_url, rest = dsn.partition("://")
    if is_url and ":" in rest.rpartition("@")[0]:
        return True
    return _SECRET.search(unquote(dsn)) is not None
