"""The pages at /ht/: for everybody, for who asks whether the process lives, and for staff."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.cache import caches
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.cache import cache_control
from health_check.base import HealthCheckResult
from health_check.exceptions import ServiceUnavailable
from health_check.views import HealthCheckView, MediaType

from dbops.conf import read
from dbops.health import formats
from dbops.health.access import Access, access
from dbops.health.caches import Cache
from dbops.health.databases import Database, Pool
from dbops.health.live import LiveChecks, Migrations, live_probes
from dbops.health.probe import ANSWER_WITHIN_S, Status
from dbops.health.statements import SlowQueries
from dbops.health.summary import summarize
from dbops.health.threads import threads_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest
    from health_check.base import HealthCheck

    from dbops.health.summary import Summary

#: By media type, in the order in which they are offered to who takes several.
TYPES: Final = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/json": "json",
    "text/plain": "text",
    "application/openmetrics-text": "openmetrics",
}
ALSO: Final = {"*/*": "html", "text/*": "html", "application/*": "json"}
CONTENT_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}


class HealthView(HealthCheckView):  # type: ignore[misc]
    """Whether the site is well: 200 when ok or degraded, 503 when down.

    `checks` are a project's own, beside ours: as_view(checks=["health_check.checks.Storage"]). Of those that are not
    ours the name of the class is shown, and one that fails makes the site down, but for a ServiceWarning.
    """

    http_method_names = ["get", "head", "options"]
    template_name = "dbops/health.html"
    checks = ()
    in_detail = False
    #: From the page to where the style sheet is.
    place = ""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """As Django's; a project may have ATOMIC_REQUESTS on any database."""
        return _outside_transactions(super().as_view(**initkwargs))

    def get_checks(self) -> Iterator[HealthCheck]:
        """Iterate over the checks of every alias of DBOPS["DATABASES"] and of every cache, then those of `checks`.

        Without the default database the site cannot answer: of that there is always whether it does.
        """
        aliases = read(getattr(settings, "DBOPS", {}))[0].databases
        for alias in aliases:
            yield Database(alias)
            yield Pool(alias)
            yield from live_probes(alias)
        if DEFAULT_DB_ALIAS not in aliases and connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
            yield Database(DEFAULT_DB_ALIAS)
            yield Pool(DEFAULT_DB_ALIAS)
            yield from (one for one in live_probes(DEFAULT_DB_ALIAS) if isinstance(one, LiveChecks | Migrations))
        for alias in caches.settings:
            yield Cache(alias)
        yield from super().get_checks()

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        wanted = _format(request)
        if wanted is None:
            types = ", ".join(TYPES)
            return HttpResponse(f"not acceptable: there are {types}\n", status=406, content_type=CONTENT_TYPES["text"])
        started_s = perf_counter()
        refused = await self.refusal(request)
        if refused is not None:
            return refused
        left_s = ANSWER_WITHIN_S - (perf_counter() - started_s)
        results = await asyncio.gather(*(self._result(check, left_s) for check in self.get_checks()))
        summary = summarize(results)
        status = 503 if summary.status is Status.DOWN else 200
        return HttpResponse(self._rendered(summary, wanted), status=status, content_type=CONTENT_TYPES[wanted])

    async def refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Return the answer to who may not see this page."""
        return None

    async def _result(self, check: HealthCheck, left_s: float) -> HealthCheckResult:
        try:
            # Not the event loop's threads, which are waited for when it ends.
            return await asyncio.wait_for(check.get_result(threads_for(type(check))), left_s)
        except TimeoutError:
            error = ServiceUnavailable(f"no answer within {left_s:.1f} s")
            return HealthCheckResult(check=check, error=error, time_taken=left_s)

    def _rendered(self, summary: Summary, wanted: str) -> str:
        as_text: dict[str, Callable[..., str]] = {
            "json": formats.as_json,
            "text": formats.as_text,
            "openmetrics": formats.as_openmetrics,
        }
        if wanted in as_text:
            return as_text[wanted](summary, in_detail=self.in_detail)
        # Without the request: a project's context processors may ask the database that is down.
        context = {"summary": summary, "in_detail": self.in_detail, "place": self.place}
        return render_to_string(self.template_name, context)


class LiveView(HealthView):
    """Whether this process answers at all: asks nobody else."""

    place = "../"

    def get_checks(self) -> Iterator[HealthCheck]:
        yield from ()


class DetailView(HealthView):
    """Every check with its reason, its latency and its figures, for those who may see names."""

    in_detail = True
    place = "../"

    def get_checks(self) -> Iterator[HealthCheck]:
        yield from super().get_checks()
        for alias in read(getattr(settings, "DBOPS", {}))[0].databases:
            yield SlowQueries(alias)

    async def refusal(self, request: HttpRequest) -> HttpResponse | None:
        found = await access(request)
        if found is Access.GRANTED:
            return None
        status, words = found.value
        refused = HttpResponse(f"{words}\n", status=status, content_type=CONTENT_TYPES["text"])
        if found is Access.UNKNOWN:
            refused["WWW-Authenticate"] = "Bearer"
        return refused


def _outside_transactions(view: Any) -> Any:
    """Keep ATOMIC_REQUESTS, of whichever database, from opening a transaction around the view."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


@_outside_transactions
@cache_control(public=True, max_age=3600)
def style(_request: HttpRequest) -> HttpResponse:
    """The pages' style sheet: from here, so that neither collected files nor an exception in the policy are needed."""
    return HttpResponse((files("dbops.health") / "style.css").read_bytes(), content_type="text/css; charset=utf-8")


def _format(request: HttpRequest) -> str | None:
    """Return what is asked for by ?format=, else by the header Accept; None when it takes nothing we have."""
    asked = request.GET.get("format")
    if asked in CONTENT_TYPES:
        return asked
    try:
        accepted = list(MediaType.parse_header(request.headers.get("Accept") or "*/*"))
    except ValueError:  # not a header that can be read: whoever sends it takes what comes
        return "html"
    known = {**TYPES, **ALSO}
    return next((known[one.mime_type] for one in accepted if one.weight and one.mime_type in known), None)
