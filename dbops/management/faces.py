"""Results as a command's options want to see them: a report as text or JSON, the checks as a list or a page."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dbops import __version__
from dbops.analysis.registry import checks
from dbops.analysis.settings import unknown_check
from dbops.collect.rights import grants_of, rights_of
from dbops.errors import UsageError
from dbops.management.looks import chosen_checks
from dbops.management.names import refuse_together
from dbops.render import catalogue, json, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dbops.findings.report import Report
    from dbops.management.surface import Surface


def reports_as(options: Mapping[str, Any], reports: Sequence[Report], surface: Surface) -> str:
    """Return `reports` in `--format`."""
    if options["format"] == "json":
        return json.render(reports, generated_at=datetime.now(UTC), version=__version__)
    scope, verbosity = _scope(options), options["verbosity"]
    grants = {check.id: grants_of(rights_of(check.id, check.sections)) for check in checks().values()}
    pages = (
        text.render(report, **asdict(surface), verbosity=verbosity, scope=scope, grants=grants) for report in reports
    )
    return "\n".join(pages)


def checks_as(options: Mapping[str, Any], surface: Surface) -> str:
    """Return the page that `--explain` asks for, or the `--list` of checks that `--only` and `--tag` leave.

    Raises:
        ConfigurationError: there is no such check.
        UsageError: an option that makes no sense beside it.
    """
    one = "--explain" if options["explain"] else "--list"
    refuse_together(one, options, "app_labels", "database", "dsn", "strict", why=f"{one} looks at no database")
    if options["format"] == "json":
        message = f"{one} has no JSON: it is text for a person"
        raise UsageError(message, hint="leave --format out")
    if options["list"]:
        refuse_together("--list", options, "explain", why="--explain is about one check")
        return catalogue.render_list(chosen_checks(options), **asdict(surface))
    refuse_together("--explain", options, "only", "tag", why="--explain is about one check")
    if options["explain"] not in checks():
        raise unknown_check(options["explain"])
    check = checks()[options["explain"]]
    return catalogue.render_page(check, rights_of(check.id, check.sections), **asdict(surface))


def _scope(options: Mapping[str, Any]) -> str | None:
    """Say to what the look was limited: what was left out must not pass for healthy."""
    limits = []
    if options["only"]:
        limits.append(f"the checks {', '.join(options['only'])}")
    if options["tag"]:
        limits.append(f"{options['tag']} checks")
    if options["app_labels"]:
        limits.append(f"findings of {', '.join(options['app_labels'])}")
    return f"only {', '.join(limits)}" if limits else None
