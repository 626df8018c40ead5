"""Tables that are not as their models say: each kind of fault made by DDL, found, mended and gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import models
from django.db.models import F

from dbops.findings.finding import Kind, Severity
from dbops.findings.report import Outcome
from tests.checks.drift import assert_mended, drift, make_tables, only_finding
from tests.looking import apply, undo
from tests.ownership.sample import a_model, registry

if TYPE_CHECKING:
    from django.apps.registry import Apps

    from tests.servers import Database

pytestmark = pytest.mark.usefixtures("scratch_beside")
CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
TABLE = "public.ownership_order"


def test_tables_as_django_made_them_are_as_they_should_be(database: Database, shop: Apps) -> None:
    looked = drift(database, shop)
    assert (looked.result.outcome, looked.result.reason, looked.findings) == (Outcome.OK, None, [])


#: What is done to the table, what is found then, how bad it is, and a word of what is said.
OTHER_CHECK = (
    "ALTER TABLE ownership_order DROP CONSTRAINT order_price_check; "
    "ALTER TABLE ownership_order ADD CONSTRAINT order_price_check CHECK (amount < price)"
)
MENDED = [
    ("ALTER TABLE ownership_order ALTER note DROP NOT NULL", f"{TABLE}.note", WARNING, "the column may"),
    ("ALTER TABLE ownership_order ALTER price SET NOT NULL", f"{TABLE}.price", WARNING, "saving None fails"),
    ("ALTER TABLE ownership_order ALTER number TYPE varchar(19)", f"{TABLE}.number", WARNING, "varchar(20)"),
    ("ALTER TABLE ownership_order ALTER tags TYPE text", f"{TABLE}.tags", WARNING, "the column is text"),
    ("ALTER TABLE ownership_order ALTER tags TYPE varchar(4)[]", f"{TABLE}.tags", WARNING, "varchar(5)[]"),
    ('ALTER TABLE ownership_order ALTER note TYPE text COLLATE "POSIX"', f"{TABLE}.note", WARNING, "POSIX"),
    ('ALTER TABLE ownership_order ALTER note TYPE text COLLATE "default"', f"{TABLE}.note", WARNING, "default"),
    ("ALTER TABLE ownership_order ALTER status DROP DEFAULT", f"{TABLE}.status", CRITICAL, "the column has none"),
    ("ALTER TABLE ownership_order ALTER status SET DEFAULT 'old'", f"{TABLE}.status", WARNING, "'old'"),
    ("ALTER TABLE ownership_order ALTER created SET DEFAULT now()", f"{TABLE}.created", WARNING, "now()"),
    ("ALTER TABLE ownership_order ALTER id DROP IDENTITY", f"{TABLE}.id", CRITICAL, "every INSERT fails"),
    ("DROP INDEX order_status_idx", "public.order_status_idx", WARNING, "the database has none"),
    ("DROP INDEX order_lower_idx", "public.order_lower_idx", WARNING, "LOWER"),
    ("DROP INDEX order_open_idx", "public.order_open_idx", WARNING, "WHERE"),
    ("DROP INDEX order_payload_idx", "public.order_payload_idx", WARNING, "gin"),
    ("DROP INDEX order_new_uniq", "public.order_new_uniq", CRITICAL, "stored twice"),
    (
        "DROP INDEX order_open_idx; CREATE INDEX order_open_idx ON ownership_order (amount) WHERE amount > 7",
        "public.order_open_idx",
        WARNING,
        "is USING btree (amount) WHERE (amount > 7)",
    ),
    (
        "DROP INDEX order_status_idx; CREATE INDEX order_status_idx ON ownership_order (status, created)",
        "public.order_status_idx",
        WARNING,
        "DESC",
    ),
    (
        "DROP INDEX order_new_uniq; CREATE INDEX order_new_uniq ON ownership_order (number) WHERE status = 'new'",
        "public.order_new_uniq",
        CRITICAL,
        "unique index",
    ),
    (
        "DROP INDEX order_price_idx; CREATE INDEX other ON ownership_order (price)",
        "public.order_price_idx",
        WARNING,
        "INCLUDE",
    ),
    (
        "ALTER TABLE ownership_order DROP CONSTRAINT order_late_uniq",
        f"{TABLE}.order_late_uniq",
        CRITICAL,
        "unique together",
    ),
    (
        "ALTER TABLE ownership_order DROP CONSTRAINT order_null_uniq",
        f"{TABLE}.order_null_uniq",
        CRITICAL,
        "stored twice",
    ),
    ("ALTER TABLE ownership_order DROP CONSTRAINT order_price_check", f"{TABLE}.order_price_check", WARNING, "CHECK"),
    (
        OTHER_CHECK,
        f"{TABLE}.order_price_check",
        WARNING,
        "CHECK (((amount)::numeric < price))",
    ),
    (
        "ALTER TABLE ownership_order DROP CONSTRAINT ownership_order_amount_check",
        f"{TABLE}.ownership_order_amount_check",
        WARNING,
        "no such constraint",
    ),
    ("ALTER TABLE ownership_order DROP CONSTRAINT order_span_excl", f"{TABLE}.order_span_excl", WARNING, "EXCLUDE"),
    (
        "ALTER TABLE ownership_order DROP CONSTRAINT ownership_order_pkey",
        f"{TABLE}.ownership_order_pkey",
        CRITICAL,
        "primary key",
    ),
    (
        "ALTER TABLE ownership_customer DROP CONSTRAINT ownership_customer_email_key",
        "public.ownership_customer.ownership_customer_email_key",
        CRITICAL,
        "email is unique",
    ),
]


@pytest.mark.parametrize(("ddl", "target", "severity", "word"), MENDED, ids=[case[0] for case in MENDED])
def test_what_is_missing_or_different_is_found_and_mended(
    database: Database, shop: Apps, ddl: str, *, target: str, severity: Severity, word: str
) -> None:
    for statement in ddl.split("; "):
        database.execute(statement)
    finding = only_finding(database, shop)
    assert (finding.target.name, finding.severity) == (target, severity)
    assert word in finding.message
    assert_mended(database, shop, finding)


@pytest.mark.parametrize("column", ["price", "created", "customer_id"])
def test_a_missing_column_is_critical_and_what_it_takes_with_it_is_not_repeated(
    database: Database, shop: Apps, column: str
) -> None:
    database.execute(f"ALTER TABLE ownership_order DROP COLUMN {column} CASCADE")
    looked = drift(database, shop)
    (missing,) = [one for one in looked.findings if one.target.kind is Kind.COLUMN]
    assert (missing.target.name, missing.severity) == (f"{TABLE}.{column}", CRITICAL)
    if missing.fix is not None:
        apply(database, missing.fix)
        assert [one for one in drift(database, shop).findings if one.target.kind is Kind.COLUMN] == []
        undo(database, missing.fix)
        assert missing.target in [one.target for one in drift(database, shop).findings]
    assert (missing.fix is None) is (column == "customer_id")


def test_a_column_that_is_no_longer_generated_is_critical(database: Database, shop: Apps) -> None:
    database.execute("ALTER TABLE ownership_order ALTER total DROP EXPRESSION")
    finding = only_finding(database, shop)
    assert (finding.target.name, finding.severity, finding.fix) == (f"{TABLE}.total", CRITICAL, None)


def test_a_column_that_is_generated_though_the_field_is_not_takes_no_value(database: Database) -> None:
    with registry() as isolated:
        made = a_model("Sum", amount=models.IntegerField(), total=models.IntegerField(null=True))
        make_tables(database, made)
        database.execute("ALTER TABLE ownership_sum DROP COLUMN total")
        database.execute("ALTER TABLE ownership_sum ADD COLUMN total int GENERATED ALWAYS AS (amount * 2) STORED")
        finding = only_finding(database, isolated)
        assert (finding.target.name, finding.severity) == ("public.ownership_sum.total", CRITICAL)
        assert_mended(database, isolated, finding)


def test_another_generated_expression_is_told_from_the_same_in_other_words(database: Database) -> None:
    with registry() as isolated:
        total = models.GeneratedField(
            expression=F("amount") * 2 + F("fee"), output_field=models.IntegerField(), db_persist=True
        )
        make_tables(database, a_model("Sum", amount=models.IntegerField(), fee=models.IntegerField(), total=total))
        assert drift(database, isolated).findings == []
        database.execute("ALTER TABLE ownership_sum DROP COLUMN total")
        database.execute("ALTER TABLE ownership_sum ADD total int GENERATED ALWAYS AS (amount * (2 + fee)) STORED")
        finding = only_finding(database, isolated)
        assert (finding.target.name, finding.severity) == ("public.ownership_sum.total", WARNING)
        assert "amount * (2 + fee)" in finding.message


def test_a_column_without_a_field_that_must_have_a_value_fails_every_insert(database: Database, shop: Apps) -> None:
    database.execute("ALTER TABLE ownership_customer ADD old_name text NOT NULL")
    finding = only_finding(database, shop)
    assert (finding.target.name, finding.severity) == ("public.ownership_customer.old_name", WARNING)
    apply(database, finding.fix)
    (beyond,) = drift(database, shop).findings
    assert (beyond.target.name, beyond.severity) == ("public.ownership_customer", INFO)


def test_what_is_beyond_the_model_is_one_piece_of_information_for_each_table(database: Database, shop: Apps) -> None:
    database.execute(
        """
        ALTER TABLE ownership_order ADD old_name text, ALTER amount SET DEFAULT 0,
            ALTER number TYPE varchar(40) COLLATE "POSIX", ADD CONSTRAINT positive CHECK (price > 0);
        CREATE UNIQUE INDEX once ON ownership_order (created);
        CREATE INDEX of_no_concern ON ownership_order (created, amount);
        """
    )
    finding = only_finding(database, shop)
    assert (finding.target.name, finding.severity, finding.fix) == (TABLE, INFO, None)
    assert finding.message == (
        "The database has more than ownership.Order declares: column old_name; wider column number; collation number; "
        "default amount; unique index once; constraint positive."
    )


def test_a_shorter_index_is_information_where_a_longer_one_serves(database: Database, shop: Apps) -> None:
    database.execute("CREATE INDEX longer ON ownership_order (customer_id, amount)")
    (name,) = database.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'ownership_order' AND indexdef LIKE '%btree (customer_id)'"
    )
    database.execute(f"DROP INDEX {name[0]}")
    finding = only_finding(database, shop)
    assert (finding.target.name, finding.severity) == (f"public.{name[0]}", INFO)
    assert_mended(database, shop, finding)


def test_an_index_for_patterns_is_missed_as_information(database: Database, shop: Apps) -> None:
    ((name,),) = database.execute("SELECT indexname FROM pg_indexes WHERE indexname LIKE '%customer_email_%_like'")
    database.execute(f"DROP INDEX {name}")
    finding = only_finding(database, shop)
    assert (finding.target.name, finding.severity) == (f"public.{name}", INFO)
    assert_mended(database, shop, finding)
