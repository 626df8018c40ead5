"""What the models of one database declare: tables, columns, indexes and constraints, in Django's own SQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import Error, NotSupportedError, connections
from django.db.models import AutoField, BigAutoField, SmallAutoField

from dbops.collect.declared.editor import column_default, filling, generated_from, offline_editor
from dbops.snapshot.declared_rows import DeclaredColumn, DeclaredConstraint, DeclaredIndex, DeclaredTable
from dbops.snapshot.names import derived_name, truncate_name
from dbops.snapshot.snapshot import Unavailable
from dbops.sources import models_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from django.apps.registry import Apps
    from django.db.models import Field, Model

    from dbops.snapshot.snapshot import Section

#: What anybody's field, index or constraint may fail with when it is asked for its SQL.
_REFUSALS: Final = (
    ArithmeticError,
    AttributeError,
    Error,
    FieldError,
    ImproperlyConfigured,
    LookupError,
    NotImplementedError,
    NotSupportedError,
    RuntimeError,
    TypeError,
    ValueError,
)
_QUOTED: Final = r'"((?:[^"]|"")+)"'
_INDEX: Final = re.compile(rf"CREATE (UNIQUE )?INDEX {_QUOTED} ON (.*)", re.DOTALL)
_CONSTRAINT: Final = re.compile(rf"ALTER TABLE .*? ADD CONSTRAINT {_QUOTED} (.*)", re.DOTALL)
_KEYS: Final = re.compile(rf"[^(]*\(({_QUOTED}(?:, {_QUOTED})*)\)")
#: An index over columns alone, in one order or the other.
_PLAIN: Final = re.compile(rf"USING btree \({_QUOTED}(?: DESC)?(?:, {_QUOTED}(?: DESC)?)*\)")
_NAMES: Final = re.compile(_QUOTED)
_ON_DELETE: Final = re.compile(r" ON DELETE (CASCADE|SET NULL|SET DEFAULT)\b")
_ACTIONS: Final = {"CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d"}
_COUNTED: Final = (AutoField, BigAutoField, SmallAutoField)

SECTIONS: Final = ("declared_tables", "declared_columns", "declared_indexes", "declared_constraints")


def declared_tables(alias: str, registry: Apps) -> dict[str, Section]:
    """Return the sections of what the models in DATABASES[alias] declare, or why there are none."""
    if connections[alias].vendor != "postgresql":
        return dict.fromkeys(SECTIONS, Unavailable(f"{alias} is no PostgreSQL"))
    editor = offline_editor(alias)
    models = models_in(alias, registry)
    found: dict[str, list[Any]] = {name: [] for name in SECTIONS}
    for model in models:
        try:
            told = list(_Declaration(model, editor, models).rows())
            unseen = None
        except _REFUSALS as error:
            lines = str(error).splitlines() or [""]
            told, unseen = [], f"Django cannot write its SQL: {type(error).__name__}: {lines[0]}"
        options = model._meta
        found["declared_tables"].append(
            DeclaredTable(
                db_table=options.db_table,
                model=options.label,
                app_label=options.app_label,
                is_managed=options.managed,
                is_link=bool(options.auto_created),
                unseen=unseen,
            )
        )
        for row in told:
            found[_SECTION_OF[type(row)]].append(row)
    return {name: tuple(rows) for name, rows in found.items()}


_SECTION_OF: Final = {
    DeclaredColumn: "declared_columns",
    DeclaredIndex: "declared_indexes",
    DeclaredConstraint: "declared_constraints",
}


class _Declaration:
    """One model, and where its SQL comes from."""

    def __init__(self, model: type[Model], editor: Any, models: Collection[type[Model]]) -> None:
        self._model, self._editor, self._models = model, editor, models
        self._options = model._meta
        self._table = self._options.db_table

    def rows(self) -> Iterator[DeclaredColumn | DeclaredIndex | DeclaredConstraint]:
        for field in self._fields():
            yield self._column(field)
        if not self._options.managed:
            return
        yield self._primary_key()
        for field in self._fields():
            yield from self._of_field(field)
        for names in self._options.unique_together:
            fields = [self._options.get_field(name) for name in names]
            yield from self._stated(self._editor._create_unique_sql(self._model, fields))  # noqa: SLF001
        for one in (*self._options.indexes, *self._options.constraints):
            yield from self._stated(one.create_sql(self._model, self._editor))

    def _fields(self) -> Iterator[Any]:
        connection = self._editor.connection
        return (field for field in self._options.local_concrete_fields if field.db_parameters(connection)["type"])

    def _column(self, field: Any) -> DeclaredColumn:
        parameters = field.db_parameters(self._editor.connection)
        is_whole = self._options.managed
        return DeclaredColumn(
            db_table=self._table,
            name=_bare(field.column),
            field=field.name,
            type=parameters["type"],
            # A generated column may not be declared NOT NULL by Django.
            is_nullable=(field.null or field.generated) and not field.primary_key,
            is_counted=isinstance(field, _COUNTED),
            follows_settings=_key_of(field).auto_created,
            collation=parameters.get("collation"),
            default=column_default(self._editor, field) if is_whole else None,
            generated=generated_from(self._editor, field) if is_whole else None,
            filling=filling(self._editor, field) if is_whole and not field.null else None,
        )

    def _primary_key(self) -> DeclaredConstraint:
        key: Any = self._options.pk
        columns = tuple(_bare(column) for column in getattr(key, "columns", None) or (key.column,))
        _, _, name = self._table.strip('"').rpartition('"."')
        listed = ", ".join(self._editor.quote_name(column) for column in columns)
        return DeclaredConstraint(
            db_table=self._table,
            name=derived_name(name, suffix="pkey"),
            type="p",
            definition=f"PRIMARY KEY ({listed})",
            columns=columns,
        )

    def _of_field(self, field: Any) -> Iterator[DeclaredIndex | DeclaredConstraint]:
        if field.unique and not field.primary_key:
            quoted = self._editor.quote_name(field.column)
            yield self._made_up(field, "u", f"UNIQUE ({quoted})", suffix="key")
        check = field.db_parameters(self._editor.connection)["check"]
        if check:
            yield self._made_up(field, "c", f"CHECK ({check})", suffix="check")
        if field.remote_field and getattr(field, "db_constraint", False):
            yield from self._foreign_key(field)
        for statement in self._editor._field_indexes_sql(self._model, field):  # noqa: SLF001
            yield from self._stated(statement)

    def _made_up(self, field: Field[Any, Any], type_: str, definition: str, *, suffix: str) -> DeclaredConstraint:
        """A constraint that Django leaves the server to name."""
        _, _, name = self._table.strip('"').rpartition('"."')
        column = _bare(field.column or "")
        return DeclaredConstraint(
            db_table=self._table,
            name=derived_name(name, column, suffix=suffix),
            type=type_,
            definition=definition,
            columns=(column,),
        )

    def _foreign_key(self, field: Any) -> Iterator[DeclaredConstraint]:
        """Not where the other table is in another database, or nobody migrates it: it may be anything there."""
        target = field.target_field
        if target.model._meta.concrete_model not in self._models or not target.model._meta.managed:
            return
        sql = str(self._editor._create_fk_sql(self._model, field, "_fk_%(to_table)s_%(to_column)s"))  # noqa: SLF001
        found = _CONSTRAINT.fullmatch(sql)
        if found is not None:
            action = _ON_DELETE.search(found[2])
            yield DeclaredConstraint(
                db_table=self._table,
                name=truncate_name(found[1].replace('""', '"')),
                type="f",
                definition=found[2],
                columns=(_bare(field.column),),
                target_table=target.model._meta.db_table,
                target_column=_bare(target.column),
                on_delete=_ACTIONS[action[1]] if action else "a",
            )

    def _stated(self, statement: Any) -> Iterator[DeclaredIndex | DeclaredConstraint]:
        """What a statement of Django's makes; nothing where Django makes none, or where it is nothing of the table."""
        sql = str(statement) if statement is not None else ""
        on_table = f"{self._editor.quote_name(self._table)} "
        index, constraint = _INDEX.fullmatch(sql), _CONSTRAINT.fullmatch(sql)
        if index is not None and index[3].startswith(on_table):
            rest = index[3].removeprefix(on_table).strip()
            definition = rest if rest.startswith("USING") else f"USING btree {rest}"
            yield DeclaredIndex(
                db_table=self._table,
                name=truncate_name(index[2].replace('""', '"')),
                is_unique=index[1] is not None,
                definition=definition,
                columns=_listed(definition) if _PLAIN.fullmatch(definition) else (),
                is_for_patterns="_pattern_ops" in definition and index[2].endswith("_like"),
            )
        elif constraint is not None:
            definition = constraint[2].strip()
            kind = {"UNIQUE": "u", "CHECK": "c", "EXCLUDE": "x"}.get(definition.partition(" ")[0])
            keys = _KEYS.match(definition) if kind == "u" else None
            if kind is not None:
                yield DeclaredConstraint(
                    db_table=self._table,
                    name=truncate_name(constraint[1].replace('""', '"')),
                    type=kind,
                    definition=definition,
                    columns=_listed(keys[1]) if keys else (),
                )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.replace('""', '"') for name in _NAMES.findall(text))


def _bare(column: str) -> str:
    """Return a column's name as the server keeps it: Django leaves alone what is in quotes already."""
    return truncate_name(column.strip('"'))


def _key_of(field: Any) -> Any:
    """Return the field that gives a foreign key its type, through foreign keys that are keys themselves."""
    while field.is_relation and field.remote_field:
        field = field.target_field
    return field
