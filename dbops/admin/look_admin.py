"""The overview of a database, and the button that has it looked at again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode

from dbops.admin.filters import COLUMNS, Chosen
from dbops.admin.guard import guard
from dbops.admin.overview import overview_of, states_of
from dbops.conf import is_enabled, read
from dbops.history.looks import start
from dbops.models import Finding, Look

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, HttpResponseBase
    from django.urls import URLPattern

    LookModelAdmin = admin.ModelAdmin[Look]
else:
    LookModelAdmin = admin.ModelAdmin

#: What every page of ours loads.
MEDIA: Final = Media(css={"all": ["dbops/admin.css"]}, js=["dbops/admin.js"])
#: How long the page that begins a look waits for it: most have ended by then.
WAIT_S: Final = 2.0
#: A page that shows a running look loads itself again.
REFRESH_S: Final = 3


class LookAdmin(LookModelAdmin):
    """Looks are begun here, and never written by hand. No page looks while it is being read."""

    def get_urls(self) -> list[URLPattern]:
        urls = [
            path("", self.admin_site.admin_view(self.changelist_view), name="dbops_look_changelist"),
            path("start/", self.admin_site.admin_view(self.start_view), name="dbops_look_start"),
        ]
        for url in urls:
            guard(url)
        return urls

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Look | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Look | None = None) -> bool:
        return False

    def has_start_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may have a database looked at: nobody may where dbops is switched off."""
        return is_enabled() and self.has_view_permission(request) and request.user.has_perm("dbops.start_look")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The overview of the database that `?database=` names, narrowed to what the other parameters say."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        states = states_of(aliases())
        alias = request.GET.get("database", "")
        if alias not in states:
            alias = next(iter(states))
        chosen = Chosen(alias, {name: value for name in COLUMNS if (value := request.GET.get(name))})
        state = states[alias]
        context = {
            **self.admin_site.each_context(request),
            "title": f"Overview of {alias}",
            "opts": self.opts,
            "cl": SimpleNamespace(opts=self.opts),  # as the template that ours extends wants it
            "actions_on_top": True,  # where it is not, that template writes a style into the page
            "media": MEDIA,
            "alias": alias,
            "databases": [(one, Chosen(one, {}).query()) for one in states],
            "state": state,
            "overview": None if state.done is None else overview_of(state.done, chosen),
            "may_start": self.has_start_permission(request),
            "may_see_findings": request.user.has_perm(f"dbops.view_{Finding._meta.model_name}"),
            "refresh_s": REFRESH_S,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "dbops/admin/overview.html", context)

    def start_view(self, request: HttpRequest) -> HttpResponseBase:
        """Have a database looked at, wait for it a moment, and go back to its overview."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        alias = request.POST.get("database", "")
        if not self.has_start_permission(request) or alias not in aliases():
            raise PermissionDenied
        has_ended = start(alias)
        if has_ended is not None:
            has_ended(WAIT_S)
        return HttpResponseRedirect(f"{reverse('admin:dbops_look_changelist')}?{urlencode({'database': alias})}")


def aliases() -> tuple[str, ...]:
    """Return the aliases that the pages are about."""
    return read(getattr(settings, "DBOPS", {}))[0].databases
