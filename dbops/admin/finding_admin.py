"""The findings of the last look at each database: a list to search and to filter, and a page for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin.filters import AllValuesFieldListFilter
from django.utils.html import format_html, format_html_join

from dbops.admin.guard import guard
from dbops.admin.look_admin import MEDIA, aliases
from dbops.admin.shown import Shown
from dbops.analysis.registry import checks
from dbops.render.catalogue import paragraphs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from django.forms import Media
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.safestring import SafeString

    from dbops.models import Finding

    FindingModelAdmin = admin.ModelAdmin[Finding]
else:
    FindingModelAdmin = admin.ModelAdmin

#: The pages there are, of those that every model has.
_PAGES: Final = {"dbops_finding_changelist", "dbops_finding_change"}


class WhereSeveral(AllValuesFieldListFilter):
    """A filter that is there only where it leaves a choice."""

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1


class WhereSeveralDatabases(WhereSeveral):
    """The aliases that the pages are about, of those that were looked at."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lookup_choices = self.lookup_choices.filter(alias__in=aliases())


class FindingAdmin(FindingModelAdmin):
    """Findings are made by looks, and by nobody else."""

    list_display = ("severity_mark", "target", "check_name", "whose", "database")
    list_display_links = ("target",)
    list_filter = (
        "severity",
        "ownership",
        ("app_label", WhereSeveral),
        ("check_name", WhereSeveral),
        ("look__alias", WhereSeveralDatabases),
    )
    list_select_related = ("look",)
    list_per_page = 50
    search_fields = ("target", "check_name", "message", "model", "migration")
    ordering = ("position", "look")
    actions = None
    fields = readonly_fields = ("target",)  # what the page shows is not a form
    change_form_template = "dbops/admin/finding.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Finding]:
        return super().get_queryset(request).filter(look__alias__in=aliases())

    def get_list_display(self, request: HttpRequest) -> Any:
        is_alone = len(aliases()) == 1
        return [name for name in self.list_display if not (is_alone and name == "database")]

    @property
    def media(self) -> Media:
        return super().media + MEDIA

    def get_urls(self) -> list[URLPattern]:
        urls = [url for url in super().get_urls() if url.name in _PAGES]
        for url in urls:
            guard(url)
        return urls

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Finding | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Finding | None = None) -> bool:
        return False

    @admin.display(description="severity", ordering="position")
    def severity_mark(self, row: Finding) -> SafeString:
        return format_html('<span class="dbops-severity dbops-{0}">{0}</span>', row.severity)

    @admin.display(description="whose it is", ordering="model")
    def whose(self, row: Finding) -> str:
        return Shown(row).place or Shown(row).whose

    @admin.display(description="database", ordering="look__alias")
    def database(self, row: Finding) -> str:
        return row.look.alias

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Findings of the last look", **(extra_context or {})})

    def render_change_form(  # noqa: PLR0917 -- Django's signature
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Finding | None = None,
    ) -> HttpResponse:
        if obj is not None:
            check = checks().get(obj.check_name)  # a version of dbops that knows it no more may show it still
            parts = {"Why it matters": check.why, "How to fix it": check.remedy} if check else {}
            context |= {
                "title": f"{obj.check_name}: {obj.target}",
                "shown": Shown(obj),
                "explained": {heading: list(_explained(text)) for heading, text in parts.items() if text},
                "subtitle": None,  # else the title once more
                "summary": check.summary if check else "",
            }
        return super().render_change_form(request, context, add, change, form_url, obj)


def _explained(text: str) -> Iterator[tuple[bool, list[SafeString]]]:
    """Iterate over the paragraphs of a check's description; what is between backticks is code."""
    for is_code, items in paragraphs(text):
        yield is_code, [format_html("{}", item) if is_code else _with_code(item) for item in items]


def _with_code(text: str) -> SafeString:
    parts = text.split("`")
    return format_html_join(
        "",
        "{}",
        ((format_html("<code>{}</code>", part) if number % 2 else part,) for number, part in enumerate(parts)),
    )
