"""Indexes that the models declare and the database has not, or has otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.changes import DropIndex
from dbops.findings.drift.place import LOUD, mend
from dbops.findings.finding import Severity, Unseen
from dbops.snapshot.declared_matches import State, match_indexes
from dbops.snapshot.names import qualified, quote_ident

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.drift.place import Place
    from dbops.findings.finding import Finding
    from dbops.findings.fix import Fix
    from dbops.snapshot.declared_matches import Match
    from dbops.snapshot.declared_rows import DeclaredIndex
    from dbops.snapshot.rows import Index
    from dbops.snapshot.spellings import Spellings


def differing_indexes(
    place: Place, declared: Sequence[DeclaredIndex], spellings: Spellings, claimed: set[int]
) -> Iterator[Finding | Unseen]:
    """Iterate over what is different; `claimed` gets the oids of the indexes that stand for something declared."""
    for match in match_indexes(place.schema, place.table, declared, spellings):
        if match.found is not None and match.state is not State.COVERED:
            claimed.add(match.found.oid)
        if match.state is State.UNKNOWN:
            yield Unseen(qualified(place.table.schema, match.declared.name), match.why)
        elif match.state is not State.SAME:
            yield _finding(place, match)


def _finding(place: Place, match: Match[DeclaredIndex, Index]) -> Finding:
    declared, found = match.declared, match.found
    what = "unique index" if declared.is_unique else "index"
    says = f"{place.model} declares the {what} {declared.name} {declared.definition}"
    severity = LOUD if declared.is_unique else Severity.WARNING
    if match.state is State.DIFFERENT and found is not None:
        _, _, rest = (found.definition or "").partition(" USING ")
        unique = "UNIQUE " if found.is_unique else ""
        message = f"{says}, and {found.qualified_name} is {unique}USING {rest}."
        return place.index(declared.name, declared.columns, message, severity=severity, fix=_instead(place, match))
    if match.state is State.COVERED and found is not None:
        message = (
            f"{says}, and the database has none. {found.qualified_name} begins with its columns and serves it too."
        )
        severity = Severity.INFO
    elif declared.is_unique:
        message = f"{says}, and the database has none: rows that are to be there once can be stored twice."
    elif declared.is_for_patterns:
        message = f"Django adds an index for LIKE and startswith, {declared.name}, and the database has none."
        severity = Severity.INFO
    else:
        message = f"{says}, and the database has none: the queries it is for read the whole table{place.size}."
    return place.index(declared.name, declared.columns, message, severity=severity, fix=_create(place, declared))


def _create(place: Place, declared: DeclaredIndex) -> Fix:
    return mend(
        (_statement(place, declared, declared.name),),
        (f"{place.concurrently('DROP INDEX')} {qualified(place.table.schema, declared.name)};",),
        in_transaction=place.table.kind == "p",
        caution=_caution(place, declared),
    )


def _instead(place: Place, match: Match[DeclaredIndex, Index]) -> Fix | None:
    """Build the declared index under another name, drop the one that has its name, and rename; the old one comes back
    by its own definition."""
    declared, found = match.declared, match.found
    if found is None or found.constraint_oid is not None or found.definition is None or place.table.kind == "p":
        return None
    new = f"{declared.name[:50]}_drift"
    old = DropIndex(schema=found.schema, name=found.name, definition=found.definition).fix()
    schema, name = place.table.schema, quote_ident(declared.name)
    return mend(
        (
            _statement(place, declared, new),
            *old.sql,
            f"ALTER INDEX {qualified(schema, new)} RENAME TO {name};",
        ),
        (f"DROP INDEX CONCURRENTLY {qualified(schema, declared.name)};", *old.undo),
        in_transaction=False,
        caution=_caution(place, declared),
    )


def _statement(place: Place, declared: DeclaredIndex, name: str) -> str:
    create = place.concurrently(f"CREATE {'UNIQUE ' if declared.is_unique else ''}INDEX")
    return f"{create} {quote_ident(name)} ON {place.table.qualified_name} {declared.definition};"


def _caution(place: Place, declared: DeclaredIndex) -> str | None:
    cautions = (
        ["fails, and leaves an invalid index to be dropped, where rows are there twice"] if declared.is_unique else []
    )
    if place.table.kind == "p":
        cautions.append("stops writes to the table and its partitions while it builds")
    return "; ".join(cautions) or None
