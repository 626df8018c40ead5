"""What pg_stat_statements has counted is read wherever it is, without secrets, and without what dbops ran itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dbops.snapshot.activity import with_activity
from dbops.snapshot.snapshot import Unavailable
from tests.looking import snapshot_of
from tests.windows import Before

if TYPE_CHECKING:
    from dbops.snapshot.snapshot import Snapshot
    from tests.servers import Database


def rows(snapshot: Snapshot, name: str) -> tuple[Any, ...]:
    section = snapshot.section(name)
    assert isinstance(section, tuple), section
    return section


def test_without_the_extension(database: Database) -> None:
    snapshot = snapshot_of(database)
    (tracking,) = rows(snapshot, "statement_tracking")
    assert (tracking.is_available, tracking.is_loaded, tracking.schema, tracking.entries) == (True, True, None, None)
    for name in ("statement_counters", "statement_texts"):
        section = snapshot.section(name)
        assert isinstance(section, Unavailable)
        assert "CREATE EXTENSION pg_stat_statements" in section.reason


def test_in_an_odd_schema(database: Database) -> None:
    database.execute('CREATE SCHEMA "Odd ""one"; CREATE EXTENSION pg_stat_statements SCHEMA "Odd ""one"')
    database.execute("SELECT 1 AS planted, 'planted'")
    snapshot = snapshot_of(database)
    (tracking,) = rows(snapshot, "statement_tracking")
    assert tracking.schema == 'Odd "one'
    assert tracking.entries > 0
    assert tracking.reset_at is not None
    (text,) = [one for one in rows(snapshot, "statement_texts") if "AS planted" in one.text]
    assert "'planted'" not in text.text
    (counters,) = [one for one in rows(snapshot, "statement_counters") if one.query_id == text.query_id]
    assert (counters.calls, counters.is_top_level) == (1, True)
    assert (counters.counted_since is not None) == (database.major >= 17)


def test_a_bare_role_sees_its_own_statements_alone(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    role = database.create_role(f"{database.name}_bare")
    monitor = database.create_role(f"{database.name}_monitor", pg_monitor=True)
    database.execute("SELECT 1 AS of_superuser")
    database.connect(role).execute("SELECT 1 AS of_role, 2")
    seen = {}
    for name in (role, monitor):
        snapshot = snapshot_of(database, role=name)
        (tracking,) = rows(snapshot, "statement_tracking")
        texts = " ".join(one.text for one in rows(snapshot, "statement_texts"))
        seen[name] = (tracking.sees_all_roles, "of_superuser" in texts, "of_role" in texts)
    assert seen == {role: (False, False, True), monitor: (True, True, True)}


def test_secrets_never_come_out(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    role = database.create_role(f"{database.name}_secret")
    database.execute(f"ALTER ROLE {role} PASSWORD 'hunter2'")
    database.execute(f"ALTER ROLE {role} PASSWORD $x$hunter2$x$ /* hunter2 */")
    database.execute("SELECT 'hunter2' AS a /* hunter2 */")
    database.execute("DO $$ BEGIN PERFORM 'hunter2'; END $$")
    database.execute("COPY (SELECT 'hunter2') TO PROGRAM 'cat > /dev/null # hunter2'")
    texts = rows(snapshot_of(database), "statement_texts")
    assert any(one.text.startswith("ALTER ROLE") for one in texts)
    assert not [one for one in texts if "hunter2" in one.text]


def test_what_dbops_ran_itself_is_left_out(database: Database) -> None:
    database.execute("CREATE EXTENSION pg_stat_statements")
    before = Before(snapshot_of(database), earlier=timedelta(hours=1))
    database.execute("SELECT 1 AS of_the_application")
    for _ in range(2):
        snapshot_of(database)
    snapshot = with_activity(snapshot_of(database), [before])
    assert any(one.is_own for one in rows(snapshot, "statement_texts"))
    ran = [one.text or "" for one in rows(snapshot, "statement_activity") if one.is_top_level]
    assert [text for text in ran if "of_the_application" in text]
    # What both run alike, such as ROLLBACK, is one entry for the server.
    assert [text for text in ran if text.startswith("SELECT") and "pg_" in text] == []
