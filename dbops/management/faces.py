"""Results as a command's options want to see them: reports in one of the formats, the checks as a list or a page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dbops import __version__
from dbops.analysis.registry import checks
from dbops.analysis.settings import unknown_check
from dbops.collect.rights import grants_of, rights_of
from dbops.errors import UsageError
from dbops.management.looks import chosen_checks
from dbops.management.names import refuse_together
from dbops.management.verdict import failing_severity
from dbops.ownership.source_files import SourceFiles
from dbops.render import catalogue, comparison, github, json, junit, markdown, sarif, text
from dbops.render.decisions import render_unused
from dbops.render.page import encodable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dbops.findings.comparison import Change
    from dbops.findings.finding import Severity
    from dbops.findings.ignores import Ignore
    from dbops.findings.report import Report
    from dbops.management.surface import Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What every format is made from."""

    reports: Sequence[Report]
    unused: Sequence[Ignore]
    options: Mapping[str, Any]
    surface: Surface

    @property
    def scope(self) -> str | None:
        """To what the look was limited: what was left out must not pass for healthy."""
        return _scope(self.options)

    @property
    def fail_on(self) -> Severity | None:
        """From which severity on findings fail the build."""
        return failing_severity(self.options)


def reports_as(
    options: Mapping[str, Any], reports: Sequence[Report], surface: Surface, unused: Sequence[Ignore] = ()
) -> str:
    """Return `reports`, and the ignores that none of them needs, in `--format`."""
    return FORMATS[options["format"]](_Asked(reports=reports, unused=unused, options=options, surface=surface))


def _text(asked: _Asked) -> str:
    grants = {check.id: grants_of(rights_of(check.id, check.sections)) for check in checks().values()}
    surface, verbosity = asdict(asked.surface), asked.options["verbosity"]
    pages = [
        text.render(report, **surface, verbosity=verbosity, scope=asked.scope, grants=grants)
        for report in asked.reports
    ]
    return "\n".join([*pages, *([render_unused(asked.unused, **surface)] if asked.unused else [])])


def _json(asked: _Asked) -> str:
    return json.render(asked.reports, generated_at=datetime.now(UTC), version=__version__, unused=asked.unused)


def _markdown(asked: _Asked) -> str:
    return encodable(markdown.render(asked.reports, scope=asked.scope, unused=asked.unused), asked.surface.encoding)


def _sarif(asked: _Asked) -> str:
    files = SourceFiles.of_project()
    return sarif.render(
        asked.reports,
        version=__version__,
        checks=checks(),
        source=files.source,
        fallback=files.settings_file,
        scope=asked.scope,
        unused=asked.unused,
    )


def _junit(asked: _Asked) -> str:
    document = junit.render(asked.reports, fail_on=asked.fail_on, scope=asked.scope, unused=asked.unused)
    return document if asked.surface.encoding == "utf-8" else document.encode("ascii", "xmlcharrefreplace").decode()


def _github(asked: _Asked) -> str:
    source = SourceFiles.of_project().source
    written = github.render(asked.reports, fail_on=asked.fail_on, source=source, scope=asked.scope, unused=asked.unused)
    return encodable(written, asked.surface.encoding)


#: The values of --format.
FORMATS: Final[Mapping[str, Callable[[_Asked], str]]] = {
    "text": _text,
    "json": _json,
    "markdown": _markdown,
    "sarif": _sarif,
    "junit": _junit,
    "github": _github,
}


def changes_as(options: Mapping[str, Any], changes: Sequence[Change], surface: Surface) -> str:
    """Return `changes` in `--format`, which is text or JSON."""
    if options["format"] == "json":
        return comparison.render_json(changes, generated_at=datetime.now(UTC), version=__version__)
    return comparison.render_text(changes, **asdict(surface), verbosity=options["verbosity"])


def checks_as(options: Mapping[str, Any], surface: Surface) -> str:
    """Return the page that `--explain` asks for, or the `--list` of checks that `--only` and `--tag` leave.

    Raises:
        ConfigurationError: there is no such check.
        UsageError: an option that makes no sense beside it.
    """
    one = "--explain" if options["explain"] else "--list"
    looking = ("app_labels", "database", "dsn", "strict", "baseline", "write_baseline", "since", "compare")
    refuse_together(one, options, *looking, why=f"{one} looks at no database")
    if options["format"] != "text":
        message = f"{one} has no {options['format']} format: it is text for a person"
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
    limits = []
    if options["only"]:
        limits.append(f"the checks {', '.join(options['only'])}")
    if options["tag"]:
        limits.append(f"{options['tag']} checks")
    if options["app_labels"]:
        limits.append(f"findings of {', '.join(options['app_labels'])}")
    return f"only {', '.join(limits)}" if limits else None
