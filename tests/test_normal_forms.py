"""Definitions put to a scratch server, once each, and what is said where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import models
from django.db.models import Q

from dbops import normal_forms
from dbops.embedded import scratch
from dbops.errors import EmbeddedServerError
from dbops.findings.report import Outcome
from dbops.normal_forms import with_normal_forms
from dbops.snapshot.snapshot import Unavailable
from tests.checks.drift import judged, make_tables, seen
from tests.ownership.sample import a_model, registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.snapshot.snapshot import Snapshot
    from tests.servers import Database

pytestmark = pytest.mark.parametrize("server", ["pg18"], indirect=True)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was answered before."""
    monkeypatch.setattr(normal_forms, "_answers", {})


@pytest.fixture
def ranged(database: Database) -> Iterator[Snapshot]:
    """A look at a table with a check that the server prints in other words."""
    with registry() as isolated:
        ranged = models.CheckConstraint(condition=Q(a__range=(1, 9)), name="ranged")
        make_tables(database, a_model("Thing", a=models.IntegerField(), meta={"constraints": [ranged]}))
        yield seen(database, isolated, can_ask=False)


def forms_of(snapshot: Snapshot) -> list[Any]:
    section = snapshot.section("normal_forms")
    assert not isinstance(section, Unavailable)
    return list(section)


def test_both_sides_are_printed_by_one_server(ranged: Snapshot) -> None:
    declared, found = forms_of(with_normal_forms(ranged))
    assert declared.text == 'CHECK ("a" BETWEEN 1 AND 9)'
    assert found.text == declared.normal == found.normal == "CHECK (((a >= 1) AND (a <= 9)))"
    assert judged(with_normal_forms(ranged)).result.outcome is Outcome.OK


def test_what_was_answered_is_not_asked_again(ranged: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    first = with_normal_forms(ranged)
    monkeypatch.setattr(scratch, "_PLACE", "/nowhere")
    assert with_normal_forms(ranged) == first
    assert len(forms_of(first)) == 2


def test_a_process_that_serves_pages_starts_no_server_and_says_so(
    ranged: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_PLACE", "/nowhere")
    looked = judged(with_normal_forms(ranged, may_start_server=False))
    assert looked.findings == []
    assert str(looked.result.reason).startswith("its expression was not compared: manage.py dbanalyze does")


def test_where_no_server_can_be_started_the_reason_is_handed_on(
    ranged: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(major: int) -> Any:
        raise EmbeddedServerError("there is none")

    monkeypatch.setattr(scratch, "scratch_server", none)
    looked = judged(with_normal_forms(ranged))
    assert looked.findings == []
    assert looked.result.reason == "its expression was not compared: there is none: public.ownership_thing.ranged"


def test_where_the_servers_extra_is_missing_the_remedy_is_named(
    ranged: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(normal_forms, "import_module", missing)
    looked = judged(with_normal_forms(ranged))
    assert looked.result.reason is not None
    assert 'pip install "dbops[embedded,psycopg]"' in looked.result.reason


def test_no_server_is_started_where_all_is_evident(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_PLACE", "/nowhere")
    with registry() as isolated:
        evident = models.CheckConstraint(condition=Q(a__gt=1) & Q(code__in=["x", "y"]), name="evident")
        make_tables(
            database,
            a_model(
                "Thing",
                a=models.PositiveIntegerField(db_default=-1),
                code=models.CharField(max_length=9, db_default="it's"),
                meta={"constraints": [evident]},
            ),
        )
        snapshot = seen(database, isolated)
    assert forms_of(snapshot) == []
    assert judged(snapshot).result.outcome is Outcome.OK


def test_what_the_scratch_server_cannot_make_is_to_be_compared_by_hand(database: Database) -> None:
    with registry() as isolated:
        database.execute("CREATE FUNCTION odd(int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 % 2 = 1'")
        database.execute("CREATE TABLE ownership_thing (id bigserial PRIMARY KEY, a int CONSTRAINT odd CHECK (odd(a)))")
        a_model(
            "Thing",
            a=models.IntegerField(null=True),
            meta={"constraints": [models.CheckConstraint(condition=Q(a__gt=1), name="odd")]},
        )
        looked = judged(seen(database, isolated))
    assert looked.findings == []
    assert looked.result.reason == (
        "a scratch server cannot make it (function public.odd(integer) does not exist): compare by hand: "
        "public.ownership_thing.odd"
    )
