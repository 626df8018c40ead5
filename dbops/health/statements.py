"""How slow this database's statements are, in figures alone: no statement, no name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dbops.collect.session import Session
from dbops.errors import DbopsError
from dbops.health.probe import NotJudgedError, Probe
from dbops.pulse import GRACE_MS, LIMITS, STATEMENT_TIMEOUT_MS
from dbops.snapshot.names import quote_ident
from dbops.sources import connect_alias
from dbops.watch import watch

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A statement that takes longer than this on average is slow.
SLOW_MS: Final = 100
KEPT_S: Final = 10.0
_WHERE: Final = """\
SELECT nspname::text AS schema
FROM pg_catalog.pg_extension JOIN pg_catalog.pg_namespace ON pg_namespace.oid = extnamespace
WHERE extname = 'pg_stat_statements'"""
#: Without the texts, which are in a file that is read at every call.
_FIGURES: Final = """\
SELECT count(*)::bigint AS statements,
       count(*) FILTER (WHERE mean_exec_time >= {slow_ms})::bigint AS slow_statements,
       sum(calls)::bigint AS calls,
       sum(total_exec_time)::float8 AS total_ms,
       (sum(total_exec_time) / nullif(sum(calls), 0))::float8 AS mean_ms,
       max(mean_exec_time)::float8 AS slowest_mean_ms,
       (SELECT stats_reset::text FROM {schema}.pg_stat_statements_info) AS since
FROM {schema}.pg_stat_statements(false)
WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"""


@dataclass(frozen=True, slots=True)
class Statements:
    """The figures of pg_stat_statements, or why they cannot be had."""

    figures: dict[str, Any]
    reason: str | None


def look(alias: str) -> Statements:
    """Read pg_stat_statements of DATABASES[alias]."""
    try:
        with connect_alias(alias, limits=LIMITS) as (connection, error):
            session = Session(connection, error, statement_timeout_ms=STATEMENT_TIMEOUT_MS, grace_ms=GRACE_MS)
            with session.transaction():
                found = session.read(_WHERE)
                if not found:
                    return Statements({}, "there is no extension pg_stat_statements in the database")
                sql = _FIGURES.format(schema=quote_ident(found[0]["schema"]), slow_ms=SLOW_MS)
                return Statements(_rounded(session.read(sql)[0]), None)
    except DbopsError as error:
        return Statements({}, error.message)


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(figure, 2) if isinstance(figure, float) else figure for name, figure in figures.items()}


@dataclass
class SlowQueries(Probe):
    """What pg_stat_statements counted since it was last reset; judges nothing."""

    name: ClassVar[str] = "slow_queries"

    async def run(self) -> None:
        found = await self.answer(watch(look, self.alias).ask(max_age_s=KEPT_S))
        self.figures = found.figures
        raise NotJudgedError(found.reason or "figures alone")
