"""A look at one database for what VACUUM and ANALYZE have to do there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from dbops.collect.postgres import collect
from dbops.collect.session import LookError, Session
from dbops.conf import config
from dbops.errors import DbopsError, UsageError
from dbops.findings.finding import Location, Ownership
from dbops.maintenance.vacuum_plan import NEEDS, USES, Right, find_table, plan_of
from dbops.ownership.operations import with_operation
from dbops.ownership.owners import Owners
from dbops.snapshot.schema import Schema
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dbops.collect.postgres import Progress
    from dbops.findings.vacuum_advice import TableAdvice, VacuumPlan

#: Who may VACUUM and ANALYZE, as vacuum_is_permitted_for_relation() has it. Locks: none.
_RIGHTS: Final = """
SELECT c.oid::bigint AS oid, pg_get_userbyid(c.relowner)::text AS owner,
       pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE') {maintain} AS may
FROM pg_class c CROSS JOIN pg_database d
WHERE d.datname = current_database() AND c.relkind IN ('r', 'p', 'm')
"""
_MAINTAIN: Final = "OR has_table_privilege(c.oid, 'MAINTAIN')"


def look(
    connection: Any,
    error: type[Exception],
    *,
    alias: str | None,
    names: Collection[str] = (),
    show_all: bool = False,
    is_to_change: bool = False,
    progress: Progress | None = None,
) -> VacuumPlan:
    """Return the plan for the database behind `connection`.

    `names` are the tables to look at, or models, without any it is all. `is_to_change` says that the plan is to be
    carried out, for which nobody may stand between us and the server.

    Raises:
        DbopsError: it could not be looked at, or VACUUM could not be run through this connection.
        UsageError: there is no table of such a name.
    """
    session = Session(connection, error)
    wanted = {*NEEDS, *USES, "pooling"}
    snapshot = collect(session, alias=alias, database=alias or "", sections=wanted, progress=progress)
    if snapshot.interrupted is not None:
        raise DbopsError(snapshot.interrupted)
    pooling = snapshot.section("pooling")
    if is_to_change and not isinstance(pooling, Unavailable) and pooling[0].is_pooled:
        message = f"{alias or snapshot.database} is reached through a pooler, which mixes up whose time limits hold"
        raise UsageError(message, hint="give the server's own address with --dsn")
    schema = Schema.of(snapshot)
    if isinstance(schema, Unavailable):
        message = f"cannot tell which tables there are: {schema.reason}"
        raise DbopsError(message)
    chosen = {find_table(schema, _db_table(name) if alias else name).oid for name in names} if names else None
    major = snapshot.server.major if snapshot.server else 0
    plan = plan_of(snapshot, schema, rights=_rights(session, major), chosen=chosen, show_all=show_all)
    if alias is None or not any(table.tuning for table in plan.tables):
        return plan
    owners = Owners.of_project(alias, own_apps=config().own_apps)
    return replace(plan, tables=tuple(_with_operation(table, owners, schema) for table in plan.tables))


def _rights(session: Session, major: int) -> Mapping[int, Right] | None:
    sql = _RIGHTS.format(maintain=_MAINTAIN if major >= 17 else "")
    try:
        with session.transaction():
            return {row["oid"]: Right(may=row["may"], owner=row["owner"]) for row in session.read(sql)}
    except LookError:
        return None


def _db_table(name: str) -> str:
    """Return the table of the model that `name` is the label of, else `name`."""
    try:
        table: str = apps.get_model(name)._meta.db_table
    except (LookupError, ValueError, ImproperlyConfigured):
        return name
    return table


def _with_operation(table: TableAdvice, owners: Owners, schema: Schema) -> TableAdvice:
    location = Location(table_oid=table.oid)
    if table.tuning is None or owners.owner(schema, location).ownership is not Ownership.MINE:
        return table
    return replace(table, tuning=with_operation(table.tuning, location, owners, schema))
