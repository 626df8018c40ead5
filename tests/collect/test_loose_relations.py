"""The relations of models that no constraint upholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.test import modify_settings

from dbops.collect.django import collect_django
from dbops.snapshot.relation_rows import LooseRelation
from dbops.snapshot.snapshot import Unavailable
from tests.ownership.sample import a_model, registry

if TYPE_CHECKING:
    from django.apps.registry import Apps


def relations(registry: Apps) -> list[LooseRelation]:
    section = collect_django("default", registry=registry)["loose_relations"]
    assert not isinstance(section, Unavailable)
    return list(section)


def test_a_foreign_key_without_a_constraint_is_one() -> None:
    with registry() as isolated:
        target = a_model("Target", code=models.CharField(max_length=9, unique=True))
        a_model(
            "Loose",
            target=models.ForeignKey(target, models.CASCADE, db_constraint=False, to_field="code", db_column="Co de"),
            firm=models.ForeignKey(target, models.CASCADE, related_name="+"),
        )
        assert relations(isolated) == [
            LooseRelation(
                db_table="ownership_loose",
                column="Co de",
                content_type_column=None,
                content_type=None,
                target_table="ownership_target",
                target_column="code",
                is_guarded=True,
            )
        ]


def test_what_django_is_told_to_leave_alone_is_not_guarded() -> None:
    handlers: dict[str, Any] = {
        "cascade": models.CASCADE,
        "set": models.SET(None),
        "set_null": models.SET_NULL,
        "nothing": models.DO_NOTHING,
    }
    with registry() as isolated:
        target = a_model("Target")
        fields: dict[str, Any] = {
            name: models.ForeignKey(target, handler, null=True, db_constraint=False, related_name="+")
            for name, handler in handlers.items()
        }
        a_model("Loose", **fields)
        found = {relation.column.removesuffix("_id"): relation.is_guarded for relation in relations(isolated)}
    assert found == {"cascade": True, "set": True, "set_null": True, "nothing": False}


def test_a_many_to_many_fields_table_counts_and_an_inherited_key_is_the_parents() -> None:
    with registry() as isolated:
        target = a_model("Target")
        parent = a_model("Parent", link=models.ForeignKey(target, models.CASCADE, db_constraint=False))
        a_model("Child", parent, many=models.ManyToManyField(target, db_constraint=False, related_name="+"))
        found = {(relation.db_table, relation.column) for relation in relations(isolated)}
    assert found == {
        ("ownership_parent", "link_id"),
        ("ownership_child_many", "child_id"),
        ("ownership_child_many", "target_id"),
    }


def test_a_generic_relation_reaches_every_model_of_the_database() -> None:
    with registry() as isolated:
        tag = a_model(
            "Tag",
            kind=models.ForeignKey(ContentType, models.CASCADE, related_name="+"),
            number=models.PositiveIntegerField(),
            thing=GenericForeignKey("kind", "number"),
        )
        a_model("Guarded", tags=GenericRelation(tag, content_type_field="kind", object_id_field="number"))
        a_model("Keyed", key=models.UUIDField(primary_key=True, db_column="uid"))
        found = {
            relation.content_type: (relation.target_table, relation.target_column, relation.is_guarded)
            for relation in relations(isolated)
        }
        assert {(one.db_table, one.column, one.content_type_column) for one in relations(isolated)} == {
            ("ownership_tag", "number", "kind_id")
        }
        with modify_settings(INSTALLED_APPS={"remove": ["django.contrib.contenttypes"]}):
            assert relations(isolated) == []
    assert found == {
        "ownership.tag": ("ownership_tag", "id", False),
        "ownership.guarded": ("ownership_guarded", "id", True),
        "ownership.keyed": ("ownership_keyed", "uid", False),
    }
