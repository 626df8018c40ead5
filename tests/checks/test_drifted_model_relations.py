"""Foreign keys, tables and triggers that are not as models and migrations say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db import models

from dbops.collect.declared.tables import declared_tables
from dbops.findings.finding import Severity
from dbops.findings.report import Outcome
from dbops.snapshot.declared_rows import DeclaredTrigger
from dbops.snapshot.migration_rows import AppliedMigration, Migration
from dbops.snapshot.snapshot import Unavailable
from tests.checks.drift import assert_mended, drift, make_tables, only_finding
from tests.looking import apply, undo
from tests.ownership.sample import a_model, registry

if TYPE_CHECKING:
    from django.apps.registry import Apps

    from tests.servers import Database

pytestmark = pytest.mark.usefixtures("scratch_beside")
CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
TABLE = "public.ownership_order"


DEFERRED = "DEFERRABLE INITIALLY DEFERRED"


@pytest.mark.parametrize(
    ("to", "word"),
    [("", "no foreign key there"), ("REFERENCES ownership_customer", "loaddata")],
)
def test_a_foreign_key_that_is_missing_or_not_deferred_is_mended(
    database: Database, shop: Apps, to: str, word: str
) -> None:
    name = foreign_key_of(database)
    database.execute(f"ALTER TABLE ownership_order DROP CONSTRAINT {name}")
    if to:
        database.execute(f"ALTER TABLE ownership_order ADD CONSTRAINT {name} FOREIGN KEY (customer_id) {to}")
    finding = only_finding(database, shop)
    assert (finding.target.name, finding.severity) == (f"{TABLE}.{name}", WARNING)
    assert word in finding.message
    assert_mended(database, shop, finding)


def test_a_foreign_key_to_another_table_is_told_and_left_to_people(database: Database, shop: Apps) -> None:
    name = foreign_key_of(database)
    database.execute(f"ALTER TABLE ownership_order DROP CONSTRAINT {name}")
    database.execute(f"ALTER TABLE ownership_order ADD CONSTRAINT {name} FOREIGN KEY (customer_id) REFERENCES {TABLE}")
    looked = drift(database, shop)
    other, beyond = looked.findings
    assert (other.target.name, other.severity, other.fix) == (f"{TABLE}.{name}", WARNING, None)
    assert "another" in other.message
    assert beyond.severity is INFO


def test_an_action_beyond_the_model_is_information(database: Database, shop: Apps) -> None:
    name = foreign_key_of(database)
    database.execute(f"ALTER TABLE ownership_order DROP CONSTRAINT {name}")
    database.execute(
        f"ALTER TABLE ownership_order ADD CONSTRAINT {name} FOREIGN KEY (customer_id) REFERENCES ownership_customer "
        f"ON DELETE CASCADE {DEFERRED}"
    )
    finding = only_finding(database, shop)
    assert (finding.target.name, finding.severity) == (TABLE, INFO)
    assert f"ON DELETE CASCADE of {name}" in finding.message


def test_an_action_that_the_database_is_to_take_and_does_not_is_mended(database: Database, shop: Apps) -> None:
    constraints = declared_tables("default", shop)["declared_constraints"]
    assert not isinstance(constraints, Unavailable)
    cascading = tuple(replace(one, on_delete="c") if one.type == "f" else one for one in constraints)
    finding = only_finding(database, shop, declared_constraints=cascading)
    assert (finding.target.name, finding.severity) == (f"{TABLE}.{foreign_key_of(database)}", WARNING)
    assert "NO ACTION" in finding.message
    apply(database, finding.fix)
    assert drift(database, shop, declared_constraints=cascading).findings == []
    undo(database, finding.fix)
    assert only_finding(database, shop, declared_constraints=cascading).target == finding.target


@pytest.mark.skipif(not hasattr(models, "DB_CASCADE"), reason="this Django leaves ON DELETE to Python")
def test_the_models_own_action_in_the_database_is_compared(database: Database) -> None:
    with registry() as isolated:
        customer = a_model("Customer")
        action: Any = models.DB_CASCADE
        make_tables(database, customer, a_model("Order", customer=models.ForeignKey(customer, action)))
        assert drift(database, isolated).findings == []
        name = foreign_key_of(database)
        database.execute(f"ALTER TABLE ownership_order DROP CONSTRAINT {name}")
        database.execute(
            f"ALTER TABLE ownership_order ADD CONSTRAINT {name} "
            f"FOREIGN KEY (customer_id) REFERENCES ownership_customer {DEFERRED}"
        )
        finding = only_finding(database, isolated)
        assert finding.target.name == f"{TABLE}.{name}"
        assert_mended(database, isolated, finding)


def foreign_key_of(database: Database) -> str:
    ((name,),) = database.execute(
        "SELECT conname::text FROM pg_constraint WHERE contype = 'f' AND conrelid = 'ownership_order'::regclass"
    )
    return str(name)


def test_a_missing_table_is_critical_once_its_migrations_are_recorded(database: Database, shop: Apps) -> None:
    database.execute("DROP TABLE ownership_order")
    finding = only_finding(database, shop)
    assert (finding.target.name, finding.severity) == (TABLE, INFO)
    finding = only_finding(database, shop, **migrations_of("ownership.0001_initial", applied=True))
    assert (finding.target.name, finding.severity) == (TABLE, CRITICAL)
    assert finding.location is not None
    assert finding.location.model == "ownership.Order"


def test_an_app_with_migrations_to_apply_is_left_alone(database: Database, shop: Apps) -> None:
    database.execute("DROP TABLE ownership_order")
    looked = drift(database, shop, **migrations_of("ownership.0001_initial", applied=False))
    assert (looked.result.outcome, looked.findings) == (Outcome.OK, [])


def test_tables_of_apps_that_are_not_installed_any_more_are_told_once(database: Database, shop: Apps) -> None:
    database.execute("CREATE TABLE blog_post (id int); CREATE TABLE blog_tag (id int); CREATE TABLE blogger_x (id int)")
    finding = only_finding(database, shop, **migrations_of("blog.0001_initial", applied=True, has_file=False))
    assert (finding.target.name, finding.rolled_up) == ("public.blog_post", ("public.blog_tag",))
    assert finding.severity is INFO
    assert "2 tables" in finding.message


def migrations_of(label: str, *, applied: bool, has_file: bool = True) -> dict[str, Any]:
    app_label, _, name = label.partition(".")
    file = Migration(app_label=app_label, name=name, replaces=(), runs_here=True)
    record = AppliedMigration(schema="public", app_label=app_label, name=name, applied_at=datetime.now(UTC))
    return {"migrations": (file,) if has_file else (), "applied_migrations": (record,) if applied else ()}


def test_a_missing_trigger_and_one_that_is_switched_off_are_found(database: Database, shop: Apps) -> None:
    triggers = (DeclaredTrigger(db_table="ownership_order", name="keep", migration="ownership.0002_keep"),)
    finding = only_finding(database, shop, declared_triggers=triggers)
    assert (finding.target.name, finding.severity, finding.fix) == (TABLE, WARNING, None)
    assert "manage.py sqlmigrate ownership 0002_keep" in finding.message
    database.execute("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$")
    database.execute("CREATE TRIGGER keep BEFORE UPDATE ON ownership_order FOR EACH ROW EXECUTE FUNCTION keep()")
    assert drift(database, shop, declared_triggers=triggers).findings == []
    database.execute("ALTER TABLE ownership_order DISABLE TRIGGER keep")
    finding = only_finding(database, shop, declared_triggers=triggers)
    apply(database, finding.fix)
    assert drift(database, shop, declared_triggers=triggers).findings == []


def test_without_a_server_to_ask_expressions_are_unseen_and_all_else_is_compared(
    database: Database, shop: Apps
) -> None:
    database.execute("ALTER TABLE ownership_order DROP CONSTRAINT order_price_check")
    database.execute("ALTER TABLE ownership_order ADD CONSTRAINT order_price_check CHECK (amount < price)")
    database.execute("DROP INDEX order_lower_idx; DROP INDEX order_status_idx")
    looked = drift(database, shop, can_ask=False)
    assert looked.targets == ["public.order_status_idx", "public.order_lower_idx"]
    assert looked.result.reason is not None
    assert looked.result.reason.startswith("no server was there to print it in its own words: ")
    assert f"{TABLE}.order_price_check" in looked.result.reason
