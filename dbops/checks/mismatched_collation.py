"""Text that was sorted by other rules than the server sorts by now.

The order of text comes from the operating system's library (glibc) or from ICU, and changes between their versions. An
index keeps the order it was built in. When the server starts to sort differently, after an upgrade of the operating
system, another container image, a restore of the files on another host, or a standby with another release, it looks
for a key on the wrong side of the index: rows that exist are not found, a unique index takes the same value twice, and
a merge join or a range leaves rows out. Nothing fails, so that it is noticed late. PostgreSQL records the version by
which a database and a collation were made; what differs is reported, with the indexes that are sorted by it.

How to fix:

Rebuild the indexes first, and refresh the recorded version after that: refreshing alone only silences the server. A
unique index that cannot be built has found its duplicates, which have to be cleared up before. REINDEX needs the
owner of the tables, ALTER DATABASE the owner of the database. A table partitioned by ranges of text may hold rows in
the wrong partition; look at it by hand.

A standby is read by its own library: give it the release of the primary, nothing can be rebuilt there.

Where no version was recorded (a database that was upgraded from PostgreSQL 14 or before), or the library tells none
(musl, macOS), nobody can see a change: rebuild the indexes once after each upgrade of the system. A database with the
locale C.UTF-8, or the provider builtin (17), never has the problem, and is made by dump and restore.

Not reported: C, POSIX and C.UTF-8, whose order is that of the bytes; indexes that compare bytes (text_pattern_ops,
Django's _like indexes; hash), SP-GiST and trigrams, which keep no order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Basis, Finding, Kind, Severity, Tag, Target
from dbops.snapshot.amounts import format_bytes, listed, plural
from dbops.snapshot.integrity_rows import DEFAULT_COLLATION_OID
from dbops.snapshot.names import quote_ident

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.integrity_rows import Collation
    from dbops.snapshot.rows import Index, Server
    from dbops.snapshot.schema import Schema

TAG = Tag.LIVE
FOR_HEALTH = True

#: text_pattern_ops, varchar_pattern_ops and bpchar_pattern_ops of b-trees (pg_opclass.dat): they compare bytes.
_BYTEWISE: Final = frozenset({4217, 4218, 4219})
#: With more than these, one REINDEX DATABASE is easier to read, and takes the other indexes along.
_MOST_STATEMENTS: Final = 200
#: How many indexes the evidence names; the fix has them all.
_MOST_NAMES: Final = 20
_PROVIDERS: Final = {"c": "the C library", "i": "ICU", "b": "PostgreSQL"}


def check(schema: Schema, collations: tuple[Collation, ...], server: tuple[Server, ...]) -> Iterator[Finding]:
    changed = [one for one in collations if one.version and one.actual_version and one.version != one.actual_version]
    if changed:
        yield _mismatch(schema, changed, server[0])
    unknown = [one for one in collations if one not in changed and _is_unknown(one)]
    if unknown and not changed:
        yield _doubt(unknown, server[0])


def _mismatch(schema: Schema, changed: Sequence[Collation], server: Server) -> Finding:
    indexes = sorted(_sorted_by(schema, changed), key=lambda index: index.qualified_name)
    sizes = [schema.size_bytes(index.oid) for index in indexes]
    known = [size for size in sizes if size is not None]
    is_measured = bool(indexes) and len(known) == len(sizes)
    unique = sum(index.is_unique for index in indexes)
    evidence: dict[str, int | float | str] = {
        "collations": ", ".join(f"{_name(one)} {one.version} → {one.actual_version}" for one in changed),
        "indexes": len(indexes),
        "unique_indexes": unique,
    }
    risk = "no index is sorted by it"
    if indexes:
        size = f" ({format_bytes(sum(known))})" if is_measured else ""
        risk = f"{plural(len(indexes), 'index', 'indexes')}{size}, {unique} of them unique, may miss rows"
        evidence["at_risk"] = listed([index.qualified_name for index in indexes], most=_MOST_NAMES)
    if is_measured:
        evidence["size_bytes"] = sum(known)
    first = changed[0]
    name, provider = _name(first), _PROVIDERS[first.provider]
    others = f", and so with {listed([_name(one) for one in changed[1:]])}" if changed[1:] else ""
    return Finding(
        target=Target(Kind.DATABASE, quote_ident(server.database)),
        message=f"{name[0].upper()}{name[1:]} was recorded with version {first.version}, and {provider} now "
        f"sorts by {first.actual_version}{others}: {risk}.",
        severity=Severity.WARNING if indexes else Severity.INFO,
        basis=Basis.MEASURED,
        evidence=evidence,
        fix=None if server.is_standby else _fix(indexes, changed, server),
    )


def _sorted_by(schema: Schema, changed: Sequence[Collation]) -> Iterator[Index]:
    """Iterate over the indexes whose entries stand in an order that a changed collation gave them."""
    oids = {one.oid for one in changed}
    equal_bytes = {one.oid for one in changed if one.is_deterministic}
    for index in schema.indexes.values():
        if index.kind == "i" and any(
            collation in oids and _orders(index, operators, hashes_bytes=collation in equal_bytes)
            for collation, operators in zip(index.collations, index.operator_classes, strict=False)
        ):
            yield index


def _orders(index: Index, operators: int, *, hashes_bytes: bool) -> bool:
    """Whether the place of an entry depends on the collation."""
    if index.method == "hash":
        return not hashes_bytes
    if index.method == "spgist" or "_trgm_ops" in (index.definition or ""):
        return False
    return operators not in _BYTEWISE


def _fix(indexes: Sequence[Index], changed: Collection[Collation], server: Server) -> Fix:
    database = quote_ident(server.database)
    plain = [index for index in indexes if index.is_exclusion]  # these cannot be rebuilt concurrently
    others = [index for index in indexes if not index.is_exclusion]
    if len(others) > _MOST_STATEMENTS:
        sql = [f"REINDEX DATABASE CONCURRENTLY {database};"]
    else:
        sql = [f"REINDEX INDEX CONCURRENTLY {index.qualified_name};" for index in others]
    sql += [f"REINDEX INDEX {index.qualified_name};" for index in plain]
    sql += [
        f"ALTER DATABASE {database} REFRESH COLLATION VERSION;"
        if one.oid == DEFAULT_COLLATION_OID
        else f"ALTER COLLATION {one.qualified_name} REFRESH VERSION;"
        for one in changed
    ]
    locks = f", {plural(len(plain), 'exclusion constraint')} under a lock that stops writes" if plain else ""
    caution = (
        f"in this order; builds {plural(len(indexes), 'index', 'indexes')} anew{locks}; a unique one that fails "
        "has met duplicates; needs the owner of the database, the tables and the collations"
    )
    return Statements(sql=tuple(sql), in_transaction=False).fix(caution=caution)


def _is_unknown(one: Collation) -> bool:
    """Whether a change could not be seen: the version was not recorded, or the library tells none."""
    if one.actual_version is not None:
        return one.version is None
    locale = (one.locale or "C").upper()
    return one.provider == "c" and locale not in {"C", "POSIX"} and not locale.startswith("C.")


def _doubt(unknown: Sequence[Collation], server: Server) -> Finding:
    names = listed([f"{_name(one)} ({one.locale})" for one in unknown])
    is_silent = any(one.actual_version is None for one in unknown)
    reason = "the server's library tells no version" if is_silent else "no version was recorded"
    return Finding(
        target=Target(Kind.DATABASE, quote_ident(server.database)),
        message=f"Whether {names} still sorts as when the indexes were built cannot be known: {reason}.",
        severity=Severity.INFO,
        basis=Basis.MEASURED,
        evidence={"collations": names},
    )


def _name(one: Collation) -> str:
    return "the database's collation" if one.oid == DEFAULT_COLLATION_OID else f"collation {one.qualified_name}"
