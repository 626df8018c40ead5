"""The relations between models that no constraint of the database upholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import CASCADE, PROTECT, RESTRICT, SET_DEFAULT, SET_NULL, ForeignKey

from dbops.snapshot.relation_rows import LooseRelation
from dbops.sources import models_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from django.apps.registry import Apps
    from django.db.models import Model

#: What Django itself does to the rows that point to a deleted one; SET(…) is told by its name.
_HANDLERS = frozenset({CASCADE, PROTECT, RESTRICT, SET_DEFAULT, SET_NULL})


def loose_relations(alias: str, registry: Apps) -> tuple[LooseRelation, ...]:
    """Return the foreign keys without a constraint and the generic ones, with every model of this database they reach.

    A foreign key whose target is in another database is left out: nothing here says whether its rows are there.
    """
    models = models_in(alias, registry)
    found = [relation for model in models for relation in _unconstrained(model, models)]
    if apps.is_installed("django.contrib.contenttypes"):
        found += [relation for model in models for relation in _generic(model, models)]
    return tuple(dict.fromkeys(found))


def _unconstrained(model: type[Model], models: Collection[type[Model]]) -> Iterator[LooseRelation]:
    fields: Any = model._meta.local_concrete_fields
    for field in fields:
        if not isinstance(field, ForeignKey) or getattr(field, "db_constraint", True):
            continue
        target: Any = field.target_field
        if target.model._meta.concrete_model in models:
            handler: Any = field.remote_field.on_delete
            yield LooseRelation(
                db_table=model._meta.db_table,
                column=field.column,
                content_type_column=None,
                content_type=None,
                target_table=target.model._meta.db_table,
                target_column=target.column,
                is_guarded=handler in _HANDLERS or getattr(handler, "__name__", "") == "set_on_delete",
            )


def _generic(model: type[Model], models: Collection[type[Model]]) -> Iterator[LooseRelation]:
    # contenttypes' models refuse to be imported where the app is not installed.
    from django.contrib.contenttypes.fields import GenericForeignKey  # noqa: PLC0415

    fields: dict[str, Any] = {field.name: field for field in model._meta.local_concrete_fields}
    for relation in model._meta.private_fields:
        if not isinstance(relation, GenericForeignKey):
            continue
        content_type, object_id = fields.get(relation.ct_field), fields.get(relation.fk_field)
        if content_type is None or object_id is None:
            continue
        for target in models:
            key: Any = target._meta.pk
            if target._meta.auto_created or not getattr(key, "column", None):
                continue
            yield LooseRelation(
                db_table=model._meta.db_table,
                column=object_id.column,
                content_type_column=content_type.column,
                content_type=target._meta.label_lower,
                target_table=target._meta.db_table,
                target_column=key.column,
                is_guarded=_has_reverse(target, model, relation),
            )


def _has_reverse(target: type[Model], model: type[Model], relation: Any) -> bool:
    """Whether `target` declares a GenericRelation back: then deleting its rows deletes those that point to them."""
    from django.contrib.contenttypes.fields import GenericRelation  # noqa: PLC0415

    return any(
        isinstance(field, GenericRelation)
        and field.related_model is model
        and (field.content_type_field_name, field.object_id_field_name) == (relation.ct_field, relation.fk_field)
        for field in target._meta.private_fields
    )
