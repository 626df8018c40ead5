"""Pages that say that the database does not answer, instead of waiting for it."""

from __future__ import annotations

import logging
from functools import wraps
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections, router, transaction
from django.http import HttpResponse
from django.template.loader import render_to_string

from dbops.models import Look
from dbops.pulse import pulse
from dbops.watch import Crash, watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponseBase
    from django.urls import URLPattern

    from dbops.pulse import Answer
    from dbops.watch import Seen

logger = logging.getLogger(__name__)

#: How long a page waits for a sign of life before it says that there is none.
WAIT_S: Final = 2.5


def guard(pattern: URLPattern) -> None:
    """Have the view of `pattern` answered with 503 while a database that it needs is silent."""
    pattern.callback = guarded(pattern.callback)


def guarded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return `view`, answered with 503 while a database that it needs is silent.

    What Django or the driver asks on a connection to a frozen server is waited for without an end: no limit of a
    statement, nor any of the connection, ends it. So somebody else is sent ahead, who can be left behind.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Who brings no session is sent to log in without asking a database.
        if settings.SESSION_COOKIE_NAME in request.COOKIES and silent_alias() is not None:
            return _unavailable()
        return view(request, *args, **kwargs)

    for alias in connections:  # a project may have ATOMIC_REQUESTS, whose BEGIN would come before us
        transaction.non_atomic_requests(using=alias)(answer)
    return answer


def silent_alias() -> str | None:
    """Return the alias of a database that our pages need and that does not answer; None when all do."""
    needed = sorted({router.db_for_read(model) for model in (Look, get_user_model())})
    # Never what was seen a moment ago: the server may have frozen since.
    asked = {
        alias: watch(pulse, alias).ask(max_age_s=0) for alias in needed if connections[alias].vendor == "postgresql"
    }
    until_s = monotonic() + WAIT_S
    for alias, answer in asked.items():
        try:
            seen = answer.result(max(0.0, until_s - monotonic()))
        except TimeoutError:
            reason: str | None = f"no answer within {WAIT_S:g} s"
        else:
            reason = _silence(seen)
        if reason is not None:
            logger.warning("the database %r does not answer: %s", alias, reason)
            return alias
    return None


def _silence(seen: Seen[Answer] | Crash) -> str | None:
    if isinstance(seen, Crash):
        return "the pulse crashed: see the log"
    return None if seen.value.is_served else seen.value.reason


def _unavailable() -> HttpResponse:
    # Without the request, whose user is in the database; without the alias or the reason, for nobody has said who asks.
    page = render_to_string("dbops/admin/unavailable.html", {"title": "The database does not answer"})
    return HttpResponse(page, status=503, headers={"Cache-Control": "no-store", "Retry-After": "10"})
