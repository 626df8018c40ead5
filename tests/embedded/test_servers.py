"""The fixtures themselves."""

import psycopg
import pytest

from tests.servers import Database


def test_a_database_is_empty_and_its_own(database: Database) -> None:
    assert database.execute("SELECT current_database()") == [(database.name,)]
    assert database.execute("SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
    assert database.connect().info.server_version // 10_000 == database.major


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_test_can_ask_for_one_version(database: Database) -> None:
    assert database.major == 18


@pytest.mark.parametrize("server", ["pg15"], indirect=True)
def test_a_role_has_no_rights_but_those_given(database: Database) -> None:
    role = database.create_role("dbops_reader")
    database.execute("CREATE TABLE t (); REVOKE ALL ON t FROM public")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.connect(role).execute("SELECT * FROM t")
