"""The workloads under the product's own eye: seeded, they give no check anything to say."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest
from django.db import connection

from dbops.analysis.runner import analyze, select
from dbops.collect.postgres import READ_HERE, collect
from dbops.collect.session import Session
from dbops.workloads.registry import SeedRequest, installed_workloads


def found_in_ours() -> list[tuple[str, str]]:
    """Check and target of every finding on an object of the workloads."""
    with closing(connection.get_new_connection(connection.get_connection_params())) as own:
        own.autocommit = True
        snapshot = collect(Session(own, psycopg.Error), alias=None, database="test", sections=READ_HERE)
    findings = analyze(snapshot, select()).findings
    return [(finding.check, finding.target.name) for finding in findings if ".dbops_" in finding.target.name]


@pytest.mark.django_db(transaction=True)
def test_no_check_finds_anything_of_ours_until_something_is_wrong() -> None:
    for workload in installed_workloads().values():
        workload.seed(SeedRequest(scale=0.01))

    assert found_in_ours() == []

    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX dbops_task_one_too_many ON dbops_tasks_task (user_id)")
        try:
            assert found_in_ours() == [("redundant_index", "public.dbops_task_one_too_many")]
        finally:
            cursor.execute("DROP INDEX dbops_task_one_too_many")


@pytest.mark.django_db(transaction=True)
def test_what_was_seeded_is_not_taken_for_changes_since_it_was_analyzed() -> None:
    for workload in installed_workloads().values():
        workload.seed(SeedRequest(scale=0.01))
    connection.close()  # which reports what the session has counted, if it has not been
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_mod_since_analyze FROM pg_stat_user_tables"
            " WHERE relname ~ '^dbops_(accounts|tasks)_' AND last_analyze IS NOT NULL AND n_mod_since_analyze > 0"
        )
        assert cursor.fetchall() == []
