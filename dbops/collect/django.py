"""What Django knows of a database: its settings, and relations that no constraint in the database shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings

from dbops.collect.declared.sections import DECLARED, declared_sections
from dbops.collect.django_databases import django_databases
from dbops.collect.loose_relations import loose_relations
from dbops.collect.migrations import migrations_of
from dbops.snapshot.rows import DjangoSettings, GenericRelation
from dbops.sources import models_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from django.apps.registry import Apps
    from django.db.models import Model

    from dbops.snapshot.snapshot import Section


def collect_django(alias: str, *, sections: Collection[str] | None = None, registry: Apps = apps) -> dict[str, Section]:
    """Return the sections that the settings, the models and the migrations tell of the database DATABASES[alias].

    Only those of `sections`, where they are named: to read every migration takes its time.
    """
    readers: Mapping[str, Callable[[], Section]] = {
        "django_settings": _settings,
        "generic_relations": lambda: _generic_relations(alias, registry),
        "migrations": lambda: migrations_of(alias, registry),
        "loose_relations": lambda: loose_relations(alias, registry),
        "django_databases": lambda: tuple(django_databases(alias)),
    }
    found = {name: read() for name, read in readers.items() if sections is None or name in sections}
    if sections is None or not DECLARED.isdisjoint(sections):
        found |= declared_sections(alias, registry)
    return found


def _settings() -> tuple[DjangoSettings, ...]:
    row = DjangoSettings(
        use_tz=settings.USE_TZ,
        debug=settings.DEBUG,
        is_asgi_only=bool(getattr(settings, "ASGI_APPLICATION", None)) and settings.WSGI_APPLICATION is None,
    )
    return (row,)


def _generic_relations(alias: str, registry: Apps) -> tuple[GenericRelation, ...]:
    if not apps.is_installed("django.contrib.contenttypes"):
        return ()
    found = {relation for model in models_in(alias, registry) for relation in _relations_of(model)}
    return tuple(sorted(found, key=lambda row: (row.db_table, row.content_type_column, row.object_id_column)))


def _relations_of(model: type[Model]) -> Iterator[GenericRelation]:
    """Iterate over a model's generic foreign keys, inherited ones too: their columns are in the parent's table."""
    # contenttypes' models refuse to be imported where the app is not installed.
    from django.contrib.contenttypes.fields import GenericForeignKey  # noqa: PLC0415

    fields: dict[str, Any] = {field.name: field for field in model._meta.concrete_fields}
    for relation in model._meta.private_fields:
        if not isinstance(relation, GenericForeignKey):
            continue
        content_type, object_id = fields.get(relation.ct_field), fields.get(relation.fk_field)
        if content_type and object_id and content_type.model is object_id.model:
            yield GenericRelation(
                db_table=content_type.model._meta.db_table,
                content_type_column=content_type.column,
                object_id_column=object_id.column,
            )
