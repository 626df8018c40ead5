"""Settings are read as the next session will have them, not as this look has set them for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from dbops.collect.postgres import collect
from dbops.collect.session import Session
from tests.looking import snapshot_of

if TYPE_CHECKING:
    from dbops.snapshot.setting_rows import Setting
    from dbops.snapshot.snapshot import Snapshot
    from tests.servers import Database


def settings(snapshot: Snapshot) -> dict[str, Setting]:
    section = snapshot.section("settings")
    assert isinstance(section, tuple)
    return {row.name: row for row in section}


def test_what_the_look_sets_for_itself_does_not_show(database: Database) -> None:
    found = settings(snapshot_of(database))
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit", "row_security"):
        built_in = database.execute("SELECT boot_val, 'default' FROM pg_settings WHERE name = %s", name)
        assert [(found[name].value, found[name].source)] == built_in
    assert found["search_path"].value == '"$user", public'


def test_a_value_says_where_it_comes_from(database: Database) -> None:
    role = database.create_role(f"{database.name}_web")
    database.execute(f"ALTER ROLE {role} SET lock_timeout = '3s'")
    database.execute(f"ALTER DATABASE {database.name} SET jit = off")
    connection = database.connect(role, options="-c statement_timeout=7s -c idle_in_transaction_session_timeout=0")
    found = settings(collect(Session(connection, psycopg.Error), alias=None, database="", sections=["settings"]))
    expected = {
        "lock_timeout": ("3000", "user"),
        "jit": ("off", "database"),
        "statement_timeout": ("7000", "client"),
        "idle_in_transaction_session_timeout": ("0", "client"),
    }
    assert {name: (found[name].value, found[name].source) for name in expected} == expected


def test_the_looks_own_limits_hold_again_afterwards(database: Database) -> None:
    session = Session(database.connect(), psycopg.Error)
    snapshot = collect(session, alias=None, database="", sections=["settings"])
    assert settings(snapshot)["statement_timeout"].value == "0"
    with session.transaction():
        session.hide_schemas()
        session.read("SELECT set_config('statement_timeout', NULL, true)")
        assert session.read("SELECT current_setting('statement_timeout') AS limit") == [{"limit": "5s"}]
