"""Which indexes foreign keys, and generic ones, are looked up by: of these one has to stay for each key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.snapshot.index_shape import is_usable, serves_look_up

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from dbops.snapshot.rows import GenericRelation, Index, Table
    from dbops.snapshot.schema import Schema


class ForeignKeyCovers:
    """Looks up what indexes cover, and lets go of them as long as every key keeps one.

    `leaving` are the oids of indexes that go anyway: they cover nothing any more.
    """

    def __init__(
        self, schema: Schema, generic_relations: Iterable[GenericRelation] = (), *, leaving: Collection[int] = ()
    ) -> None:
        self._schema = schema
        self._gone = set(leaving)
        self._pairs: dict[int, list[tuple[str, str]]] = {}
        for relation in generic_relations:
            table = schema.resolve(relation.db_table)
            if table is not None:
                pair = (relation.content_type_column, relation.object_id_column)
                self._pairs.setdefault(table.oid, []).append(pair)

    def covers(self, index: Index) -> bool:
        """Return whether a key is looked up by `index` or a part of it; an unread predicate is taken to allow it."""
        return any(
            self._may_serve(part, columns)
            for part in self._with_parts(index)
            for choices in self._needs(part)
            for columns in choices
        )

    def let_go(self, index: Index) -> bool:
        """Return whether every key keeps another index when `index` goes, and if so count it as gone."""
        parts = list(self._with_parts(index))
        going = {part.oid for part in parts}
        if not all(self._has_other(part, choices, going) for part in parts for choices in self._needs(part)):
            return False
        self._gone |= going
        return True

    def _has_other(self, index: Index, choices: Sequence[Mapping[int, str]], going: Collection[int]) -> bool:
        """Return whether one of `choices` is served without `index`, or not by it in the first place."""
        others = [one for one in self._schema.indexes_of(index.table_oid) if one.oid not in going]
        return not any(self._may_serve(index, columns) for columns in choices) or any(
            self._stays(other, columns) for other in others for columns in choices
        )

    def _needs(self, index: Index) -> Iterator[list[Mapping[int, str]]]:
        """Iterate over what is looked up in the table of `index`: for each key the sets of columns that will do."""
        schema, table = self._schema, self._schema.tables.get(index.table_oid)
        if table is None:
            return
        for constraint in schema.constraints_of(table.oid):
            if constraint.type == "f" and constraint.is_enforced:
                names = (schema.column(table.oid, number) for number in constraint.columns)
                yield [{column.number: column.name for column in names if column is not None}]
        for kind, number in self._pairs.get(schema.root(table).oid, ()):
            yield [self._numbered(table, (kind, number)), self._numbered(table, (number,))]

    def _numbered(self, table: Table, names: Iterable[str]) -> dict[int, str]:
        known = ((self._schema.column_named(table.oid, name), name) for name in names)
        return {column.number: name for column, name in known if column is not None}

    def _may_serve(self, index: Index, columns: Mapping[int, str]) -> bool:
        return bool(columns) and serves_look_up(index, columns) is not False

    def _stays(self, index: Index, columns: Mapping[int, str]) -> bool:
        return (
            bool(columns)
            and index.oid not in self._gone
            and is_usable(index)
            and serves_look_up(index, columns) is True
            and self._has_own_collations(index)
        )

    def _has_own_collations(self, index: Index) -> bool:
        """Return whether the keys are sorted as their columns are: an equality is compared under that collation."""
        columns = (self._schema.column(index.table_oid, number) for number in index.keys)
        return all(
            column is None or column.collation == collation
            for column, collation in zip(columns, index.collations, strict=False)
        )

    def _with_parts(self, index: Index) -> Iterator[Index]:
        yield index
        for part in self._schema.parts_of(index.oid):
            yield from self._with_parts(part)
