"""Tables and triggers that are missing, and tables that nobody's models have any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.drift.place import LOUD, mend
from dbops.findings.finding import Finding, Kind, Location, Severity, Target, Unseen
from dbops.snapshot.amounts import format_bytes, listed, plural
from dbops.snapshot.declared import is_elsewhere, stands_on_view
from dbops.snapshot.names import qualified, quote_ident, truncate_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from dbops.findings.drift.place import Place
    from dbops.snapshot.declared import Declared
    from dbops.snapshot.declared_rows import DeclaredTable, DeclaredTrigger, OtherRelation, Trigger
    from dbops.snapshot.migration_rows import AppliedMigration
    from dbops.snapshot.rows import Table
    from dbops.snapshot.schema import Schema


def missing_table(
    declared: DeclaredTable, schema: Schema, others: Sequence[OtherRelation], *, has_migrations: bool
) -> Iterator[Finding | Unseen]:
    """Iterate over what there is to say where no table has a model's name: nothing where a view has it."""
    if stands_on_view(declared.db_table, schema, others):
        return
    elsewhere = is_elsewhere(declared.db_table, schema, others)
    if elsewhere is not None:
        reason = f"it lies in the schema {elsewhere}, which is not on this role's search_path"
        yield Unseen(truncate_name(declared.db_table.strip('"')), reason)
        return
    named, separator, name = declared.db_table.strip('"').partition('"."')
    parts = (named, name) if separator else (*schema.search_path[:1], named)
    if has_migrations:
        message = (
            f"{declared.model} has no table, though the migrations of {declared.app_label} are recorded as applied: "
            "every query of it fails."
        )
    else:
        message = f"{declared.model} has no table, and its app no migrations: migrate --run-syncdb makes it."
    yield Finding(
        target=Target(Kind.TABLE, qualified(*map(truncate_name, parts))),
        message=message,
        severity=LOUD if has_migrations else Severity.INFO,
        location=Location(table_oid=0, model=declared.model),
    )


def missing_triggers(
    place: Place, declared: Iterable[DeclaredTrigger], triggers: Collection[Trigger]
) -> Iterator[Finding]:
    """Iterate over the triggers that migrations make and the table has not, or has switched off."""
    enabled = {trigger.name: trigger.enabled for trigger in triggers}
    for one in declared:
        if one.name not in enabled:
            yield place.whole(
                f"The trigger {one.name}, made by the migration {one.migration}, is not there: nothing does its work. "
                f"manage.py sqlmigrate {one.migration.replace('.', ' ')} shows how it is made.",
                evidence={"trigger": one.name},
            )
        elif enabled[one.name] == "D":
            name = quote_ident(one.name)
            yield place.whole(
                f"The trigger {one.name}, made by the migration {one.migration}, is switched off.",
                evidence={"trigger": one.name},
                fix=mend((place.alter(f"ENABLE TRIGGER {name}"),), (place.alter(f"DISABLE TRIGGER {name}"),)),
            )


def tables_of_removed_apps(
    declared: Declared, schema: Schema, applied: Iterable[AppliedMigration], installed: Collection[str]
) -> Iterator[Finding]:
    """Iterate over one finding for each app that migrations are recorded of and that is not installed any more.

    Its tables are known by their names alone, so that there is no telling of those with a name of their own.
    """
    modelled = {row.oid for one in declared.tables if (row := schema.resolve(one.db_table)) is not None}
    known = sorted(set(installed), key=len, reverse=True)
    labels = sorted({record.app_label for record in applied} - set(installed), key=len, reverse=True)
    found: dict[str, list[Table]] = {}
    for table in schema.roots():
        if table.oid in modelled or table.schema not in schema.search_path or table.kind == "m":
            continue
        label = next((one for one in labels if table.name.startswith(f"{one}_")), None)
        closer = next((one for one in known if table.name.startswith(f"{one}_")), "")
        if label is not None and len(label) > len(closer):
            found.setdefault(label, []).append(table)
    for label, tables in sorted(found.items()):
        yield _of_removed_app(label, tables, schema)


def _of_removed_app(label: str, tables: Sequence[Table], schema: Schema) -> Finding:
    first, *others = sorted(tables, key=lambda table: table.name)
    sizes = [schema.size_bytes(table.oid) for table in tables]
    known = [size for size in sizes if size is not None]
    size_bytes = sum(known) if len(known) == len(sizes) else None
    size = "" if size_bytes is None else f" ({format_bytes(size_bytes)})"
    names = listed([table.name for table in (first, *others)])
    is_left = "is" if not others else "are"
    return Finding(
        target=Target(Kind.TABLE, first.qualified_name),
        message=(
            f"{plural(len(tables), 'table')}{size} of {label}, an app that is not installed any more, {is_left} left: "
            f"{names}."
        ),
        severity=Severity.INFO,
        evidence={"tables": len(tables)} | ({} if size_bytes is None else {"size_bytes": size_bytes}),
        location=Location(table_oid=first.oid),
        rolled_up=tuple(table.qualified_name for table in others),
    )
