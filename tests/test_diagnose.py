"""The whole pipe in one call: collected, judged, owned, ignores set aside."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test import override_settings

from dbops.analysis.registry import checks
from dbops.counters.windows import MADE_FROM_HISTORY
from dbops.diagnose import diagnose_alias, diagnose_dsn
from dbops.errors import ConfigurationError, TargetUnreachableError, UnsupportedServerError
from dbops.findings.finding import Ownership, Severity, Tag
from dbops.findings.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Database

DROP = "DROP INDEX dbops_task_one_too_many"


@pytest.fixture
def an_index_too_many(transactional_db: None) -> Iterator[str]:
    """On a table of one of the project's models."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX dbops_task_one_too_many ON dbops_tasks_task (user_id)")
        yield "public.dbops_task_one_too_many"
        cursor.execute("DROP INDEX dbops_task_one_too_many")


def test_a_freshly_migrated_project_has_nothing_of_its_own_to_mend(transactional_db: None) -> None:
    report = diagnose_alias("default")
    assert report.failing(Severity.INFO) == ()
    assert {finding.severity for finding in report.findings} <= {Severity.INFO}
    assert len(report.findings) <= 5
    # Only a superuser may see who is let in how, and no history was kept yet.
    of_history = {check.id for check in checks().values() if check.sections & MADE_FROM_HISTORY.keys()}
    skipped = {result.check for result in report.outcomes(Outcome.SKIPPED)}
    assert skipped - of_history == {"weak_authentication"}
    assert not report.outcomes(Outcome.CRASHED)
    assert report.score is not None
    assert report.score.value == 100


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(database: Database, *, is_enabled: bool) -> None:
    (gc.enable if is_enabled else gc.disable)()
    try:
        diagnose_dsn(database.dsn, only=["missing_primary_key"])
        assert gc.isenabled() is is_enabled
        with pytest.raises(TargetUnreachableError):
            diagnose_dsn(f"{database.dsn} dbname=nowhere")
        assert gc.isenabled() is is_enabled
    finally:
        gc.enable()


def test_a_finding_on_a_models_table_names_the_model(an_index_too_many: str) -> None:
    (finding,) = diagnose_alias("default", app_labels=["dbops_tasks"]).findings
    assert finding.target.name == an_index_too_many
    assert finding.owner.ownership is Ownership.MINE
    assert (finding.owner.model, finding.owner.field) == ("dbops_tasks.Task", "user")
    assert finding.fix is not None
    assert finding.fix.operation is not None


def test_an_ignored_finding_is_set_aside_with_its_reason(an_index_too_many: str) -> None:
    ignore = {"check": "redundant_index", "target": "public.dbops_task_*", "reason": "under observation"}
    with override_settings(DBOPS={"IGNORE": [ignore]}):
        report = diagnose_alias("default", app_labels=["dbops_tasks"])
    assert report.findings == ()
    assert [(one.finding.target.name, one.reason) for one in report.ignored] == [
        (an_index_too_many, "under observation")
    ]


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_database_that_is_not_this_projects_is_nobodys(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements; CREATE TABLE auth_user (id int)")
    steps: list[str] = []
    report = diagnose_dsn(database.dsn, progress=lambda step, _done, _total: steps.append(step))
    assert [(finding.check, finding.owner.ownership) for finding in report.findings] == [
        ("missing_primary_key", Ownership.UNMANAGED)
    ]
    assert (report.target.alias, report.target.database) == (None, database.name)
    assert report.failing(Severity.WARNING) == report.findings
    assert "tables" in steps


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_what_somebody_has_locked_is_said_in_the_report(database: Database) -> None:
    database.execute("CREATE TABLE busy (id int PRIMARY KEY)")
    with database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE busy")
        report = diagnose_dsn(database.dsn)
    assert [line.partition(" ")[0] for line in report.unseen] == ["public.busy"]


def test_a_size_that_cannot_be_read_costs_nothing_else(database: Database) -> None:
    whole = diagnose_dsn(database.dsn, only=["missing_primary_key"])
    assert whole.target.size_bytes is not None
    role = database.create_role(f"{database.name}_sizeless")
    database.execute("REVOKE EXECUTE ON FUNCTION pg_database_size(oid), pg_database_size(name) FROM PUBLIC")
    report = diagnose_dsn(database.dsn_for(role), only=["missing_primary_key"])
    assert report.target == replace(whole.target, size_bytes=None, role=role)
    assert not report.outcomes(Outcome.SKIPPED)


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_only_and_tag_choose_the_checks_and_with_them_what_is_read(database: Database) -> None:
    steps: list[str] = []
    report = diagnose_dsn(
        database.dsn, only=["exhausted_sequence"], progress=lambda step, _done, _total: steps.append(step)
    )
    assert [result.check for result in report.results] == ["exhausted_sequence"]
    assert "key ranges" not in steps
    assert {result.tag for result in diagnose_dsn(database.dsn, tag=Tag.LIVE).results} == {Tag.LIVE}


def test_a_check_that_is_switched_off_is_not_run(transactional_db: None) -> None:
    with override_settings(DBOPS={"CHECKS": {"redundant_index": False}}):
        assert "redundant_index" not in {result.check for result in diagnose_alias("default").results}


@pytest.mark.parametrize(
    "setting", [{"CHECKS": {"redundant_indexes": False}}, {"CHECKS": {"redundant_index": {"many": 1}}}, {"OWN": 1}]
)
def test_a_setting_that_cannot_be_right_stops_before_anything_is_looked_at(setting: object) -> None:
    with override_settings(DBOPS=setting), pytest.raises(ConfigurationError):
        diagnose_alias("default")


def test_an_unknown_check_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError) as refused:
        diagnose_alias("default", only=["redundant_indexes"])
    assert refused.value.hint == "did you mean redundant_index?"


@pytest.mark.parametrize("server", ["pg15"], indirect=True)
def test_a_server_that_is_too_old_is_refused_and_not_called_healthy(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbops.collect.postgres.OLDEST_POSTGRESQL", 16)
    with pytest.raises(UnsupportedServerError, match=r"PostgreSQL 15\.\d+ is older than what dbops can look at"):
        diagnose_dsn(database.dsn)
