"""The databases that a command works at: how to reach each, what there is to do, and what was done."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from dbops.conf import config
from dbops.management.dsn import read_dsn
from dbops.management.names import check_aliases, refuse_together
from dbops.sources import connect_alias, connect_dsn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbops.findings.vacuum_advice import Treated, VacuumPlan
    from dbops.maintenance.vacuum_run import Connect


@dataclass(slots=True)
class Target:
    """A database: how to reach it, what there is to do there, and what was done."""

    name: str
    alias: str | None
    connect: Connect
    dsn: str | None = field(default=None, repr=False)
    plan: VacuumPlan | None = None
    results: list[Treated] = field(default_factory=list)


def targets_of(options: Mapping[str, Any]) -> list[Target]:
    """Return what to look at: an alias that was named wins over the variable DBOPS_DSN.

    Raises:
        ConfigurationError, UsageError: names of nothing, or options that exclude each other.
    """
    if options["dsn"]:
        refuse_together("--dsn", options, "database", why="a database given by its DSN has no alias")
    check_aliases(options["database"])
    dsn = None if options["database"] else read_dsn(options["dsn"], sys.stdin)
    if dsn is not None:
        return [Target("the database of the DSN", None, partial(connect_dsn, dsn), dsn)]
    aliases = dict.fromkeys(options["database"] or config().databases)
    return [Target(alias, alias, partial(connect_alias, alias)) for alias in aliases]
