"""Models in a registry of their own, with the tables they would have: for tests that need no server."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.migrations import Migration
from django.test.utils import isolate_apps

from dbops.ownership.history import History
from dbops.ownership.owners import Owners
from dbops.ownership.project import Project
from dbops.ownership.tables import ModelTable, model_tables
from tests.builders import a_column, a_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.apps.registry import Apps

    from dbops.findings.finding import Ownership


@contextmanager
def registry() -> Iterator[Apps]:
    """A registry with this package as its only app, which takes the models made in the meantime."""
    isolated: Any
    with isolate_apps("tests.ownership") as isolated:
        yield isolated


def a_model(name: str, *bases: Any, meta: Mapping[str, Any] | None = None, **fields: Any) -> type[models.Model]:
    """A model of this package."""
    options = type("Meta", (), {"app_label": "ownership", **(meta or {})})
    made: Any = type(name, bases or (models.Model,), {"__module__": __name__, "Meta": options, **fields})
    return made  # type: ignore[no-any-return]


def a_migration(name: str, *operations: Any) -> Migration:
    """A migration of this package."""
    made: Any = type("Migration", (Migration,), {"operations": list(operations)})
    return made(name, "ownership")  # type: ignore[no-any-return]


def owners_of(isolated: Apps, *made_by: Migration, ownership: Ownership | None = None) -> Owners:
    """The owners of the models of `isolated`, whose migrations are `made_by`; with `ownership` for all of them."""
    tables = model_tables("default", isolated, Project.of_settings())
    if ownership is not None:
        tables = (ModelTable("default", table.model, ownership, table.link) for table in tables)
    return Owners(tables, load=lambda: History(made_by))


def rows_of(model: type[models.Model], oid: int = 1, **values: Any) -> list[Any]:
    """The rows of a model's table and its columns, numbered as Django makes them."""
    fields: Any = model._meta.local_concrete_fields
    columns = [
        a_column(number, field.column, field.db_type(connections["default"]), table_oid=oid)
        for number, field in enumerate(fields, start=1)
    ]
    return [a_table(oid, model._meta.db_table.strip('"'), **values), *columns]
