"""What a command looks at, and by which checks: its options, checked."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from dbops.analysis.registry import checks
from dbops.analysis.runner import select
from dbops.analysis.settings import unknown_check
from dbops.conf import config
from dbops.diagnose import diagnose_alias, diagnose_dsn
from dbops.errors import UsageError
from dbops.findings.comparison import Change
from dbops.findings.finding import Tag
from dbops.history.episodes import side_at, with_past
from dbops.management.dsn import read_dsn
from dbops.management.moments import moment
from dbops.management.names import check_aliases, check_app_labels, refuse_together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from dbops.analysis.registry import Check
    from dbops.collect.postgres import Progress
    from dbops.findings.report import Report


def chosen_checks(options: Mapping[str, Any]) -> tuple[Check, ...]:
    """Return the checks that `--only` and `--tag` leave.

    Raises:
        ConfigurationError: there is no such check, or the settings cannot be right.
        UsageError: none is left.
    """
    if options["only"] == []:
        message = "--only names no check"
        raise UsageError(message, hint="manage.py dbanalyze --list shows every check")
    for name in options["only"] or ():
        if name not in checks():
            raise unknown_check(name)
    chosen = select(only=options["only"], tag=options["tag"], disabled=config().disabled)
    if not chosen:
        message = f"no check that was named is {options['tag']}" if options["only"] else "every check is switched off"
        raise UsageError(message, hint="manage.py dbanalyze --list shows every check")
    return chosen


def looks(options: Mapping[str, Any]) -> dict[str, Callable[..., Report]]:
    """Return what to look at by its name: each, called with `progress`, gives its report.

    An alias, an app or a moment that was named wins over the variable DBOPS_DSN.

    Raises:
        ConfigurationError, UsageError: names of nothing, or options that exclude each other.
    """
    chosen_checks(options)
    labels, only, tag = options["app_labels"], options["only"], Tag(options["tag"]) if options["tag"] else None
    since = moment(options["since"], now=timezone.now()) if options["since"] else None
    if options["dsn"]:
        refuse_together("--dsn", options, "database", why="a database given by its DSN has no alias")
        refuse_together("--dsn", options, "app_labels", why="a database given by its DSN has no apps")
        refuse_together("--dsn", options, "since", why="no history is kept of a database given by its DSN")
    elif labels or options["database"]:
        check_app_labels(labels)
        check_aliases(options["database"])
        return _aliases(options["database"], since, only=only, tag=tag, app_labels=labels)
    dsn = read_dsn(options["dsn"], sys.stdin)
    if dsn is None or since is not None:
        return _aliases([], since, only=only, tag=tag, app_labels=labels)
    return {"the database of the DSN": partial(diagnose_dsn, dsn, only=only, tag=tag)}


def _aliases(named: list[str], since: datetime | None, **chosen: Any) -> dict[str, Callable[..., Report]]:
    def look(alias: str, *, progress: Progress | None) -> Report:
        return with_past(diagnose_alias(alias, since=since, progress=progress, **chosen), since=since)

    return {alias: partial(look, alias) for alias in named or config().databases}


def changes(options: Mapping[str, Any]) -> list[Change]:
    """Return what became of the findings between the two moments of `--compare`, by what was kept of looks then.

    Raises:
        ConfigurationError, UsageError: names of nothing, or no look was kept at one of the moments.
    """
    looking = ("app_labels", "dsn", "only", "tag", "strict", "baseline", "write_baseline", "since")
    refuse_together("--compare", options, *looking, why="--compare looks at no database, but at what was kept of looks")
    if options["format"] not in {"text", "json"}:
        message = f"--compare has no {options['format']} format"
        raise UsageError(message, hint="--format text or json")
    check_aliases(options["database"])
    now = timezone.now()
    first, second = sorted(moment(text, now=now) for text in options["compare"])
    return [
        Change(database=alias, before=side_at(alias, first), after=side_at(alias, second))
        for alias in options["database"] or config().databases
    ]
