"""What the migrations make, as the catalogue has it: the workloads must be clean by the checks of the product."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

pytestmark = pytest.mark.django_db

OURS = r"conrelid::regclass::text LIKE 'dbops\_accounts\_%%' OR conrelid::regclass::text LIKE 'dbops\_tasks\_%%'"


def rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [])
        return list(cursor.fetchall())


def test_models_and_migrations_say_the_same() -> None:
    call_command("makemigrations", "dbops_accounts", "dbops_tasks", check=True, dry_run=True, stdout=StringIO())


def test_the_database_carries_out_every_delete() -> None:
    actions = rows(
        "SELECT conrelid::regclass::text, attname, confdeltype, convalidated, condeferrable, condeferred"
        " FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]"
        f" WHERE contype = 'f' AND ({OURS}) ORDER BY 1, 2"
    )
    assert actions == [
        ("dbops_accounts_rolepermission", "permission_id", "c", True, True, True),
        ("dbops_accounts_rolepermission", "role_id", "c", True, True, True),
        ("dbops_accounts_userrole", "granted_by_id", "n", True, True, True),
        ("dbops_accounts_userrole", "role_id", "c", True, True, True),
        ("dbops_accounts_userrole", "user_id", "c", True, True, True),
        ("dbops_tasks_task", "user_id", "c", True, True, True),
    ]


def test_there_is_no_index_but_those_that_name_their_query() -> None:
    indexes = rows(
        r"SELECT indexname FROM pg_indexes WHERE (tablename LIKE 'dbops\_accounts\_%%' OR tablename LIKE"
        r" 'dbops\_tasks\_%%') AND indexname NOT LIKE '%%\_pkey' ORDER BY 1"
    )
    assert [name for (name,) in indexes] == [
        "dbops_permission_codename_key",
        "dbops_role_name_key",
        "dbops_roleperm_permission_idx",
        "dbops_rolepermission_key",
        "dbops_task_user_due_idx",
        "dbops_user_email_key",
        "dbops_user_email_lower_key",
        "dbops_user_joined_idx",
        "dbops_userrole_granted_by_idx",
        "dbops_userrole_key",
        "dbops_userrole_role_idx",
    ]


def test_every_key_is_a_bigint_identity() -> None:
    keys = rows(
        "SELECT attrelid::regclass::text, format_type(atttypid, atttypmod), attidentity"
        " FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]"
        f" WHERE contype = 'p' AND ({OURS}) ORDER BY 1"
    )
    assert keys == [
        (table, "bigint", "d")
        for table in (
            "dbops_accounts_permission",
            "dbops_accounts_role",
            "dbops_accounts_rolepermission",
            "dbops_accounts_user",
            "dbops_accounts_userrole",
            "dbops_tasks_task",
        )
    ]


@pytest.mark.parametrize("migration", [("dbops_accounts", "0001"), ("dbops_tasks", "0001")])
def test_sqlmigrate_shows_both_directions(migration: tuple[str, str]) -> None:
    forwards, backwards = StringIO(), StringIO()

    call_command("sqlmigrate", *migration, stdout=forwards)
    call_command("sqlmigrate", *migration, backwards=True, stdout=backwards)

    assert "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED NOT VALID" in forwards.getvalue()
    assert "DROP TABLE" in backwards.getvalue()
