"""Rows that point nowhere, looked for in a sample of each relation that no constraint upholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dbops.collect.batches import LOCKED, parted, read_each
from dbops.collect.session import LookError
from dbops.snapshot.names import quote_ident
from dbops.snapshot.relation_rows import LooseRelation, OrphanSample
from dbops.snapshot.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from dbops.collect.session import Session
    from dbops.snapshot.rows import Column, Index, Table

#: How many rows of a table are looked at: each costs a look-up in an index of the table it points to.
SAMPLE_ROWS: Final = 5_000
_CONTENT_TYPES: Final = "django_content_type"
_INTEGERS: Final = frozenset({"smallint", "integer", "bigint"})
_TEXTS: Final = frozenset({"text", "character varying", "character"})
#: What a text must look like to be a key of another type: what does not, points nowhere.
_NUMBER: Final = "^-?[0-9]{1,18}$"
_UUID: Final = "^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$"


@dataclass(frozen=True, slots=True)
class _Pointer:
    """A relation as the database has it."""

    relation: LooseRelation
    table: Table
    column: Column
    content_type: Column | None
    target: Table
    target_column: Column

    def obstacle(self, schema: Schema, locked: Collection[int]) -> str | None:
        """Return why its rows cannot be looked at, None when they can."""
        for table, column in self._parts():
            if not (table.is_readable or column.is_readable):
                return f"no SELECT on {table.qualified_name}"
            if table.oid in locked:
                return f"{table.qualified_name} is {LOCKED}"
        if not any(_finds(index, self.target_column.number) for index in schema.indexes_of(self.target.oid)):
            return f"no valid index of {self.target.qualified_name} leads with {self.target_column.name}"
        if self.value() is None:
            return f"{self.column.base_type} cannot be compared with {self.target_column.base_type}"
        return None

    def value(self) -> str | None:
        """Return SQL for the column's value as a key of the target; None where there is no telling how."""
        own, other, name = self.column.base_type, self.target_column.base_type, quote_ident(self.column.name)
        if own == other or {own, other} <= _INTEGERS or {own, other} <= _TEXTS:
            return name
        if own in _TEXTS and other in _INTEGERS:
            return f"CASE WHEN {name} ~ '{_NUMBER}' THEN {name}::bigint END"
        if own in _TEXTS and other == "uuid":
            return f"CASE WHEN {name} ~ '{_UUID}' THEN {name}::uuid END"
        return f"{name}::text" if other in _TEXTS else None

    def query(self, content_type_id: int | None) -> str:
        """Return what to SELECT: how many rows were looked at, and how many of those point nowhere.

        The look-up is a subquery of one row, which stays one: a join would let the planner read all of the target.
        """
        condition = f"{quote_ident(self.column.name)} IS NOT NULL"
        if self.content_type is not None:
            condition += f" AND {quote_ident(self.content_type.name)} = {content_type_id}"
        found = f"SELECT true FROM {self.target.qualified_name} x WHERE x.{quote_ident(self.target_column.name)} = s.v"
        return (
            "count(*) AS sampled_rows, count(*) FILTER (WHERE is_orphan) AS orphan_rows "
            f"FROM (SELECT ({found} LIMIT 1) IS NULL AS is_orphan "
            f"FROM ({_sample(self.table, self.value() or 'NULL', condition)}) s) r"
        )

    def row(self, answer: Mapping[str, Any] | str, *, is_whole: bool = False) -> OrphanSample:
        """Return the section's row from what was read, or from the reason why it was not."""
        values, reason = parted(answer)
        return OrphanSample(
            table_oid=self.table.oid,
            column=self.column.number,
            content_type_column=self.content_type.number if self.content_type else None,
            target_oid=self.target.oid,
            is_guarded=self.relation.is_guarded,
            is_whole=is_whole,
            sampled_rows=values.get("sampled_rows"),
            orphan_rows=values.get("orphan_rows"),
            unseen=reason,
        )

    def _parts(self) -> Iterator[tuple[Table, Column]]:
        yield self.table, self.column
        if self.content_type is not None:
            yield self.table, self.content_type
        yield self.target, self.target_column


def read_orphan_samples(session: Session, seen: Mapping[str, Any]) -> tuple[OrphanSample, ...]:
    """Return, for every relation that no constraint upholds, how many rows of a sample of its table point nowhere."""
    schema = Schema(
        search_path=seen["server"][0].search_path,
        tables=seen["tables"],
        columns=seen["columns"],
        indexes=seen["indexes"],
        constraints=seen["constraints"],
    )
    locked = {relation.oid for relation in seen["locked_relations"]}
    found: list[OrphanSample] = []
    readable: list[tuple[_Pointer, int | None]] = []
    pointers = [pointer for relation in seen["loose_relations"] for pointer in _pointers(schema, relation)]
    generic = [pointer for pointer in pointers if pointer.content_type is not None]
    types = _types_in_use(session, schema, generic, locked) if generic else {}
    for pointer in pointers:
        content_type_id = None
        if pointer.content_type is not None:
            in_use = types[pointer.table.oid, pointer.content_type.number]
            if isinstance(in_use, str):
                found.append(pointer.row(in_use))
                continue
            content_type_id = in_use.get(pointer.relation.content_type or "")
            if content_type_id is None:
                continue
        reason = pointer.obstacle(schema, locked)
        if reason is None:
            readable.append((pointer, content_type_id))
        else:
            found.append(pointer.row(reason))
    answers = read_each(session, [pointer.query(of_type) for pointer, of_type in readable], batch=1)
    for (pointer, _), answer in zip(readable, answers, strict=True):
        is_all = not isinstance(answer, str) and answer["sampled_rows"] < SAMPLE_ROWS
        found.append(pointer.row(answer, is_whole=is_all and _percent(pointer.table) is None))
    return tuple(dict.fromkeys(found))


def _finds(index: Index, column: int) -> bool:
    is_whole = index.is_valid and not index.is_partial
    return is_whole and index.method in {"btree", "hash"} and index.keys[0] == column


def _pointers(schema: Schema, relation: LooseRelation) -> Iterator[_Pointer]:
    """Iterate over the relation as the database has it: nothing where a part is missing or a constraint upholds it."""
    table, target = schema.resolve(relation.db_table), schema.resolve(relation.target_table)
    if table is None or target is None:
        return
    column = schema.column_named(table.oid, relation.column)
    target_column = schema.column_named(target.oid, relation.target_column)
    content_type = schema.column_named(table.oid, relation.content_type_column or "")
    if column is None or target_column is None or (relation.content_type_column and content_type is None):
        return
    if content_type is None and any(
        constraint.type == "f" and constraint.columns == (column.number,) and constraint.is_validated
        for constraint in schema.constraints_of(table.oid)
    ):
        return
    yield _Pointer(relation, table, column, content_type, target, target_column)


def _types_in_use(
    session: Session, schema: Schema, pointers: Iterable[_Pointer], locked: Collection[int]
) -> Mapping[tuple[int, int], Mapping[str, int] | str]:
    """Return the content types, by name, that a sample of each table points to; or why they are not known."""
    columns = {(one.table.oid, one.content_type.number): one for one in pointers if one.content_type}
    ids = _content_types(session, schema, locked)
    if isinstance(ids, str):
        return dict.fromkeys(columns, ids)
    found: dict[tuple[int, int], Mapping[str, int] | str] = {}
    readable: dict[tuple[int, int], str] = {}
    for place, one in columns.items():
        name = quote_ident(one.content_type.name) if one.content_type else ""
        if one.table.oid in locked:
            found[place] = f"{one.table.qualified_name} is {LOCKED}"
        elif not one.table.is_readable:
            found[place] = f"no SELECT on {one.table.qualified_name}"
        else:
            sample = _sample(one.table, f"{name}::bigint", f"{name} IS NOT NULL")
            readable[place] = f"array_agg(DISTINCT v) AS in_use FROM ({sample}) s"
    answers: Sequence[Mapping[str, Any] | str] = read_each(session, list(readable.values()), batch=1)
    for place, answer in zip(readable, answers, strict=True):
        if isinstance(answer, str):
            found[place] = answer
        else:
            in_use = frozenset(answer["in_use"] or ())
            found[place] = {name: id_ for name, id_ in ids.items() if id_ in in_use}
    return found


def _content_types(session: Session, schema: Schema, locked: Collection[int]) -> Mapping[str, int] | str:
    """Return the ids of the content types by `app.model`, or why they cannot be read."""
    table = schema.resolve(_CONTENT_TYPES)
    if table is None:
        return f"there is no {_CONTENT_TYPES}"
    if not table.is_readable:
        return f"no SELECT on {table.qualified_name}"
    if table.oid in locked:
        return f"{table.qualified_name} is {LOCKED}"
    try:
        read = session.read(f"SELECT id::bigint, app_label || '.' || model AS name FROM {table.qualified_name}")
    except LookError as error:
        return str(error)
    return {row["name"]: row["id"] for row in read}


def _sample(table: Table, value: str, condition: str) -> str:
    """Return a query of some rows' values `v`, the same ones at every look as long as the table stays as it is."""
    percent = _percent(table)
    part = "" if percent is None else f" TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (0)"
    return f"SELECT {value} AS v FROM {table.qualified_name}{part} WHERE {condition} LIMIT {SAMPLE_ROWS}"


def _percent(table: Table) -> float | None:
    """Return how much of a table to look at; None for all of it: where it is small, or nobody knows how large it is."""
    if table.row_estimate is None or table.row_estimate <= SAMPLE_ROWS:
        return None
    return 100 * SAMPLE_ROWS / table.row_estimate
