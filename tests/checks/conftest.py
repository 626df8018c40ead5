"""What the tests of several modules compare: models with all there is to declare, and their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import BrinIndex, GinIndex, HashIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now

from dbops.embedded import scratch
from tests.checks.drift import beside, make_tables
from tests.ownership.sample import a_model, registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.apps.registry import Apps

    from tests.servers import Database


@pytest.fixture
def scratch_beside(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "database" in request.fixturenames:
        database = request.getfixturevalue("database")
        monkeypatch.setattr(scratch, "scratch_server", lambda major: beside(database))


@pytest.fixture
def shop(database: Database) -> Iterator[Apps]:
    """A registry with two models that use all there is to declare, and their tables."""
    with registry() as isolated:
        customer = a_model("Customer", email=models.EmailField(unique=True))
        fields: dict[str, Any] = {
            "customer": models.ForeignKey(customer, models.CASCADE),
            "number": models.CharField(max_length=20, db_index=True),
            "status": models.CharField(max_length=10, db_default="new"),
            "amount": models.PositiveIntegerField(),
            "price": models.DecimalField(max_digits=10, decimal_places=2, null=True),
            "created": models.DateTimeField(db_default=Now()),
            "total": models.GeneratedField(
                expression=F("amount") * 2, output_field=models.IntegerField(), db_persist=True
            ),
            "tags": ArrayField(models.CharField(max_length=5), default=list),
            "payload": models.JSONField(default=dict),
            "span": DateTimeRangeField(null=True),
            "note": models.TextField(db_collation="C", default=""),
        }
        meta = {
            "unique_together": [("customer", "number")],
            "indexes": [
                models.Index(fields=["status", "-created"], name="order_status_idx"),
                models.Index(Lower("number"), name="order_lower_idx"),
                models.Index(fields=["amount"], name="order_open_idx", condition=Q(status="new") | Q(amount__gt=7)),
                models.Index(fields=["price"], name="order_price_idx", include=["amount"]),
                GinIndex(fields=["payload"], name="order_payload_idx", opclasses=["jsonb_path_ops"]),
                BrinIndex(fields=["created"], name="order_created_idx", pages_per_range=32),
                HashIndex(fields=["status"], name="order_hash_idx"),
            ],
            "constraints": [
                models.UniqueConstraint(fields=["number"], name="order_new_uniq", condition=Q(status="new")),
                models.UniqueConstraint(
                    fields=["amount", "price"], name="order_late_uniq", deferrable=models.Deferrable.DEFERRED
                ),
                models.UniqueConstraint(fields=["status", "price"], name="order_null_uniq", nulls_distinct=False),
                models.UniqueConstraint(Lower("note"), name="order_note_uniq"),
                models.CheckConstraint(
                    condition=Q(amount__lt=F("price") * 10) | Q(status__in=["free", "gift"]), name="order_price_check"
                ),
                ExclusionConstraint(name="order_span_excl", expressions=[("span", RangeOperators.OVERLAPS)]),
            ],
        }
        order = a_model("Order", meta=meta, **fields)
        make_tables(database, customer, order)
        yield isolated
