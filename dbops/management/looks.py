"""What a command looks at, and by which checks: its options, checked."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from dbops.analysis.registry import checks
from dbops.analysis.runner import select
from dbops.analysis.settings import unknown_check
from dbops.conf import config
from dbops.diagnose import diagnose_alias, diagnose_dsn
from dbops.errors import UsageError
from dbops.findings.finding import Tag
from dbops.management.dsn import read_dsn
from dbops.management.names import check_aliases, check_app_labels, refuse_together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dbops.analysis.registry import Check
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

    An alias or app that was named wins over the variable DBOPS_DSN.

    Raises:
        ConfigurationError, UsageError: names of nothing, or options that exclude each other.
    """
    chosen_checks(options)
    labels, only, tag = options["app_labels"], options["only"], Tag(options["tag"]) if options["tag"] else None
    if options["dsn"]:
        refuse_together("--dsn", options, "database", why="a database given by its DSN has no alias")
        refuse_together("--dsn", options, "app_labels", why="a database given by its DSN has no apps")
    elif labels or options["database"]:
        check_app_labels(labels)
        check_aliases(options["database"])
        return _aliases(options["database"], labels, only, tag)
    dsn = read_dsn(options["dsn"], sys.stdin)
    if dsn is None:
        return _aliases([], labels, only, tag)
    return {"the database of the DSN": partial(diagnose_dsn, dsn, only=only, tag=tag)}


def _aliases(
    named: list[str], labels: list[str], only: list[str] | None, tag: Tag | None
) -> dict[str, Callable[..., Report]]:
    return {
        alias: partial(diagnose_alias, alias, only=only, tag=tag, app_labels=labels)
        for alias in named or config().databases
    }
