"""The rows of what the models declare, in Django's own SQL, and of what the database has to be compared with it."""

from __future__ import annotations

from dataclasses import dataclass

from dbops.snapshot.names import qualified


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTable:
    """A model's table. `is_link` marks one that Django makes for a many-to-many field.

    Of a table that is not managed only the names of its columns are declared. `unseen` says why nothing could be, where
    a field or a constraint refuses to write its SQL.
    """

    db_table: str
    model: str
    app_label: str
    is_managed: bool
    is_link: bool
    unseen: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredColumn:
    """A column of a model's field.

    `type` is as Django writes it; `is_counted` says that the database numbers the rows. The type `follows_settings` of
    a key that Django adds by itself, and of what refers to such a key. `default` and `generated` are expressions.
    `filling` is the literal that old rows get where the column is added and may not be NULL.
    """

    db_table: str
    name: str
    field: str
    type: str
    is_nullable: bool
    is_counted: bool = False
    follows_settings: bool = False
    collation: str | None = None
    default: str | None = None
    generated: str | None = None
    filling: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredIndex:
    """An index. `definition` is what follows the table's name, from USING on.

    `columns` are the keys of a plain one: columns alone, with the operator classes and collations they have by
    themselves, for all rows. Any other has none. `is_for_patterns` marks what Django adds to a text's index, so that
    LIKE finds by it.
    """

    db_table: str
    name: str
    is_unique: bool
    definition: str
    columns: tuple[str, ...] = ()
    is_for_patterns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredConstraint:
    """A constraint: `p` primary key, `u` unique, `f` foreign key, `c` check, `x` exclusion.

    `definition` is what follows its name. `on_delete` is as in `Constraint`; for a foreign key that a migration's
    operation gives an action beyond what the model says, it is that.
    """

    db_table: str
    name: str
    type: str
    definition: str
    columns: tuple[str, ...] = ()
    target_table: str | None = None
    target_column: str | None = None
    on_delete: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTrigger:
    """A trigger that a migration (`shop.0001_initial`) makes and none takes away."""

    db_table: str
    name: str
    migration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnExpression:
    """A column's default, or what it is generated from; None when the table was locked."""

    table_oid: int
    number: int
    expression: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger that somebody made; `enabled` is pg_trigger's letter, `D` for one that is switched off."""

    table_oid: int
    name: str
    enabled: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRelation:
    """A view (`v`) or a foreign table (`f`): what can stand behind a model as well as a table."""

    schema: str
    name: str
    kind: str

    @property
    def qualified_name(self) -> str:
        return qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalForm:
    """How a server prints an index, a constraint, a default or a generated expression of a table; or why it does not.

    `kind` is `index`, `constraint`, `default` or `generated`, `type` the column's type for the last two, and `text`
    what follows the name. `normal` is what the server makes of `text`, `again` what it makes of that: where it prints
    a list of texts, it prints another one when it reads its own words.
    """

    table_oid: int
    kind: str
    type: str
    text: str
    normal: str | None
    again: str | None = None
    unseen: str | None = None
