"""`manage.py dbhealth`: what a container asks of the server that runs in it."""

from __future__ import annotations

import threading
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

from dbops.errors import DbopsError, UsageError
from dbops.management.command import DbopsCommand, Exit

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import SplitResult

    from django.core.management.base import CommandParser

URL: Final = "http://127.0.0.1:8000/ht/"
_OK, _DOWN = 200, 503
#: The first words of an answer that is ours.
_WORDS: Final = frozenset({"ok", "degraded", "down"})
#: More than any answer of ours has; who sends more is not read to the end.
_LIMIT_BYTES: Final = 100_000


class Command(DbopsCommand):
    help = "Ask the running server whether it is well: 0 when it is, or is degraded; 1 when it is down or silent."
    examples = (
        ("manage.py dbhealth || exit 1", "a container's HEALTHCHECK, which knows no other failure than 1"),
        ("manage.py dbhealth --live", "whether the process answers at all, whatever its database does"),
        ("manage.py dbhealth --url http://127.0.0.1:9000/ht/", "a server on another port"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--ready", action="store_true", help="ask for all checks (default)")
        what.add_argument("--live", action="store_true", help="ask whether the process answers; no database is touched")
        parser.add_argument("--url", default=URL, help="where dbops.health.urls are (default: %(default)s)")
        parser.add_argument("--timeout", metavar="SECONDS", type=float, default=5, help="in all (default: %(default)s)")

    def run(self, **options: Any) -> Exit:
        url, timeout_s = _url(options["url"], is_live=options["live"]), options["timeout"]
        if not 0 < timeout_s <= threading.TIMEOUT_MAX:
            message = f"--timeout {timeout_s:g} is no time to wait"
            raise UsageError(message, hint="give seconds above 0, for example 5")
        answer = _within(timeout_s, lambda: _get(url, timeout_s))
        if isinstance(answer, str):
            self.complain(f"{url.geturl()}: {answer}")
            return Exit.FOUND
        status, text = answer
        word = text.partition("\n")[0].strip()
        if status not in {_OK, _DOWN} or word not in _WORDS:
            message = f"{url.geturl()} answered {status}, and not as dbops does"
            raise DbopsError(message, hint='see --url, ALLOWED_HOSTS and path("ht/", include("dbops.health.urls"))')
        self.stdout.write(text, ending="")
        return Exit.FINE if status == _OK else Exit.FOUND


def _url(given: str, *, is_live: bool) -> SplitResult:
    try:
        url = urlsplit(given)
        is_usable = url.scheme in {"http", "https"} and url.hostname is not None and url.port != 0
        str(url.hostname).encode("idna")  # as the resolver will
        url.path.encode("ascii")  # as http.client will
    except ValueError:  # and so a UnicodeError
        is_usable = False
    if not is_usable:
        message = f"--url {given!r} is not an address of HTTP"
        raise UsageError(message, hint=f"for example {URL}")
    path = url.path.rstrip("/") + ("/live/" if is_live else "/")
    return url._replace(path=path, query="", fragment="")


def _within(timeout_s: float, ask: Callable[[], tuple[int, str] | str]) -> tuple[int, str] | str:
    """Return what `ask` does, or that it lasted: a name that is not resolved and bytes that drip know no time-out."""
    answers: list[tuple[int, str] | str] = []
    asking = threading.Thread(target=lambda: answers.append(ask()), daemon=True)
    asking.start()
    asking.join(timeout_s)
    return answers[0] if answers else f"no answer within {timeout_s:g} s"


def _get(url: SplitResult, timeout_s: float) -> tuple[int, str] | str:
    """Return the status and text of the answer, or why there is none."""
    connect = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = connect(str(url.hostname), url.port, timeout=timeout_s)
    try:
        connection.request("GET", url.path, headers=_headers(url))
        response = connection.getresponse()
        return response.status, response.read(_LIMIT_BYTES).decode(errors="replace")
    except OSError as error:
        return (error.strerror or str(error) or type(error).__name__).lower()
    except HTTPException as error:
        return f"{type(error).__name__}: not an answer of HTTP"
    finally:
        connection.close()


def _headers(url: SplitResult) -> dict[str, str]:
    """Ask as the proxy before the site would: under one of its names, and by HTTPS where it says that."""
    headers = {"Accept": "text/plain", "User-Agent": "dbops"}
    allowed = settings.ALLOWED_HOSTS
    if allowed and not validate_host(str(url.hostname), allowed):
        headers["Host"] = allowed[0].lstrip(".")
    if settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        headers[name.removeprefix("HTTP_").replace("_", "-")] = value
    return headers
