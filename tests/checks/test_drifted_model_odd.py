"""Drift of partitioned tables and of names that need quotes: the fixes are written for those too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import models
from django.db.models import Q

from dbops.findings.finding import Severity
from tests.checks.drift import assert_mended, drift, make_tables, only_finding
from tests.looking import apply, undo
from tests.ownership.sample import a_model, registry

if TYPE_CHECKING:
    from tests.servers import Database

pytestmark = pytest.mark.usefixtures("scratch_beside")
QUOTED = [
    'ALTER TABLE "Odd Thing" ALTER "the Label" DROP NOT NULL',
    'ALTER TABLE "Odd Thing" ALTER "the Label" TYPE varchar(5)',
    'ALTER TABLE "Odd Thing" ALTER id DROP IDENTITY',
    'ALTER TABLE "Odd Thing" DROP CONSTRAINT "Odd Thing_the Label_key"',
    'ALTER TABLE "Odd Thing" DROP CONSTRAINT "not empty"',
    'DROP INDEX "Some Index"',
]


@pytest.mark.parametrize("ddl", QUOTED)
def test_names_that_need_quotes_are_found_and_mended(database: Database, ddl: str) -> None:
    with registry() as isolated:
        make_tables(
            database,
            a_model(
                "Thing",
                label=models.CharField(max_length=9, db_column="the Label", unique=True),
                meta={
                    "db_table": "Odd Thing",
                    "indexes": [models.Index(fields=["-label"], name="Some Index")],
                    "constraints": [models.CheckConstraint(condition=~Q(label="%'"), name="not empty")],
                },
            ),
        )
        assert drift(database, isolated).findings == []
        database.execute(ddl)
        assert_mended(database, isolated, only_finding(database, isolated))


PARTS = [
    ("DROP INDEX wide_idx", Severity.WARNING),
    ("ALTER TABLE ownership_thing DROP CONSTRAINT positive", Severity.WARNING),
    ("ALTER TABLE ownership_thing DROP CONSTRAINT ownership_thing_pkey", Severity.CRITICAL),
    ("ALTER TABLE ownership_thing DROP CONSTRAINT to_other", Severity.WARNING),
    ("ALTER TABLE ownership_thing ALTER label DROP NOT NULL", Severity.WARNING),
]


@pytest.mark.parametrize(("ddl", "severity"), PARTS)
def test_a_partitioned_table_is_mended_as_a_whole(database: Database, ddl: str, severity: Severity) -> None:
    database.execute(
        """
        CREATE TABLE ownership_other (id bigserial PRIMARY KEY);
        CREATE TABLE ownership_thing (id bigserial, day date NOT NULL, label int NOT NULL, other_id bigint NOT NULL,
            PRIMARY KEY (id, day), CONSTRAINT positive CHECK (label > 0),
            CONSTRAINT to_other FOREIGN KEY (other_id) REFERENCES ownership_other DEFERRABLE INITIALLY DEFERRED
        ) PARTITION BY RANGE (day);
        CREATE TABLE thing_2026 PARTITION OF ownership_thing FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        CREATE INDEX wide_idx ON ownership_thing (label DESC) WHERE label > 7;
        CREATE INDEX ON ownership_thing (other_id);
        """
    )
    with registry() as isolated:
        other = a_model("Other")
        a_model(
            "Thing",
            day=models.DateField(),
            label=models.IntegerField(),
            other=models.ForeignKey(other, models.CASCADE),
            meta={
                "indexes": [models.Index(fields=["-label"], name="wide_idx", condition=Q(label__gt=7))],
                "constraints": [models.CheckConstraint(condition=Q(label__gt=0), name="positive")],
            },
        )
        assert drift(database, isolated).findings == []
        database.execute(ddl)
        finding = only_finding(database, isolated)
        assert finding.severity is severity
        if finding.target.name.endswith("_pkey"):  # the partition key has to be in it, which is people's to decide
            assert finding.fix is None
        else:
            apply(database, finding.fix)
            assert drift(database, isolated).findings == []
            undo(database, finding.fix)
            assert only_finding(database, isolated).severity is severity


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
@pytest.mark.parametrize("name", ["positive", "to_other"])
def test_a_constraint_that_is_not_enforced_is_as_good_as_none(database: Database, name: str) -> None:
    database.execute(
        """
        CREATE TABLE ownership_other (id bigserial PRIMARY KEY);
        CREATE TABLE ownership_thing (id bigserial PRIMARY KEY, label int NOT NULL, other_id bigint NOT NULL);
        CREATE INDEX ON ownership_thing (other_id);
        """
    )
    constraints = {
        "positive": "CHECK (label > 0)",
        "to_other": "FOREIGN KEY (other_id) REFERENCES ownership_other DEFERRABLE INITIALLY DEFERRED",
    }
    with registry() as isolated:
        other = a_model("Other")
        positive = models.CheckConstraint(condition=Q(label__gt=0), name="positive")
        link = models.ForeignKey(other, models.CASCADE)
        a_model("Thing", label=models.IntegerField(), other=link, meta={"constraints": [positive]})
        for one, definition in constraints.items():
            enforced = "NOT ENFORCED" if one == name else ""
            database.execute(f"ALTER TABLE ownership_thing ADD CONSTRAINT {one} {definition} {enforced}")
        finding = only_finding(database, isolated)
        assert "NOT ENFORCED" in finding.message
        assert_mended(database, isolated, finding)
