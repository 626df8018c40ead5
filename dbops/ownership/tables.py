"""The tables that Django's models live in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dbops.findings.finding import Ownership
from dbops.snapshot.names import truncate_name
from dbops.sources import models_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.apps.registry import Apps
    from django.db.models import Field, ManyToManyField, Model

    from dbops.ownership.project import Project

    AnyField: TypeAlias = Field[Any, Any]


@dataclass(frozen=True, slots=True)
class ModelTable:
    """A model's own table in the database `alias`.

    `link` is the many-to-many field that the table was made for when nobody wrote a model for it: `model` is then the
    one Django made up.
    """

    alias: str
    model: type[Model]
    ownership: Ownership
    link: ManyToManyField[Model, Model] | None = None

    @property
    def declaring_model(self) -> type[Model]:
        """The model somebody wrote: the table's own, or the one that declares the many-to-many field."""
        return self.link.model if self.link is not None else self.model

    @property
    def key(self) -> tuple[str, str]:
        """App label and lower-case name of the declaring model, as migrations know it."""
        options = self.declaring_model._meta
        return options.app_label, options.model_name or ""

    def field(self, column: str) -> AnyField | None:
        """Return the field kept in a column of this table."""
        for field in self.model._meta.local_concrete_fields:
            if field.column is not None and truncate_name(field.column.strip('"')) == column:
                return field
        return None

    def fields(self, columns: Sequence[str]) -> list[AnyField] | None:
        """Return the fields kept in `columns`, None when one of them is no field's."""
        fields = [field for field in map(self.field, columns) if field is not None]
        return fields if len(fields) == len(columns) else None

    def generic_relation(self, columns: Sequence[str]) -> str | None:
        """Return the name of the generic foreign key that is kept in exactly these columns."""
        names = {field.name for field in self.fields(columns) or ()}
        relations: Sequence[Any] = self.model._meta.private_fields
        return next((one.name for one in relations if names == {*_pair(one)}), None)


def model_tables(alias: str, registry: Apps, project: Project) -> Iterator[ModelTable]:
    """Iterate over the tables that the models in `registry` have in the database `alias`.

    Swapped models have none.
    """
    whose = {config.label: project.ownership(config) for config in registry.get_app_configs()}
    for model in models_in(alias, registry):
        options = model._meta
        ownership = whose[options.app_label] if options.managed else Ownership.UNMANAGED
        yield ModelTable(alias, model, ownership, _link(model))


def _pair(relation: object) -> tuple[str | None, str | None]:
    """Return the names of the two fields of a generic foreign key, told by what it has: contenttypes may be absent."""
    return getattr(relation, "ct_field", None), getattr(relation, "fk_field", None)


def _link(through: type[Model]) -> ManyToManyField[Model, Model] | None:
    """Return the field that a made-up through model stands for."""
    declaring: Any = through._meta.auto_created
    if not declaring:
        return None
    links = declaring._meta.local_many_to_many
    return next((link for link in links if link.remote_field.through is through), None)
