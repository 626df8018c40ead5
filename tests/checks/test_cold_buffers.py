from __future__ import annotations

import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.cold_buffers import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from tests.activity_builders import a_database_activity, a_statement, a_tracking, a_window
from tests.builders import a_schema, a_table
from tests.looking import snapshot_of
from tests.setting_builders import a_server, a_setting
from tests.windows import Before, flush, look_over

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "cold_buffers"
SETTINGS = (
    a_setting("shared_buffers", "16384"),
    a_setting("block_size", "8192"),
    a_setting("track_io_timing", "on"),
)
UNTIMED = (*SETTINGS[:2], a_setting("track_io_timing", "off"))
TASKS = 'SELECT * FROM "task" WHERE "note" = $1'


def said(hit: int, read: int, *statements: Any, **options: Any) -> list[Finding | Unseen]:
    schema = a_schema(a_table(), a_table(2, "users"), a_table(3, "task_1", is_partition=True, parent_oid=1))
    sections: dict[str, Any] = {
        "settings": SETTINGS,
        "statement_activity": statements,
        "window": a_window(),
        "statement_window": a_window(),
        "statement_tracking": a_tracking(),
        **options,
    }
    return list(
        check(schema, a_server(), database_activity=a_database_activity(blocks_hit=hit, blocks_read=read), **sections)
    )


def finding(hit: int, read: int, *statements: Any, **options: Any) -> Finding:
    (found,) = said(hit, read, *statements, **options)
    assert isinstance(found, Finding)
    return found


def reading(read: int = 10_000, *, each_ms: float = 0.5, **values: Any) -> Any:
    return a_statement(**{"text": TASKS, "shared_blocks_read": read, "block_read_ms": read * each_ms, **values})


def test_reads_from_disk() -> None:
    found = finding(850_000, 150_000, reading(120_000), reading(text="SELECT * FROM users u, task_1 t"))
    assert found.target == Target(Kind.DATABASE, "shop")
    assert (found.severity, found.confidence, found.basis) == (Severity.WARNING, Confidence.HIGH, Basis.MEASURED)
    assert found.message == (
        "85.0% of 1,000,000 blocks were in shared_buffers (128 MB), and reading one of the other 150,000 took 0.5 ms "
        "on average: that is the disk, and not the system's cache. Of what queries read, the most was by those on "
        "public.task (100%) and public.users (8%)."
    )
    assert found.evidence == {
        "hit_ratio": 0.85,
        "blocks_hit": 850_000,
        "blocks_read": 150_000,
        "window_hours": 24.0,
        "read_ms_per_block": 0.5,
    }
    assert found.fix is None


def test_what_the_systems_cache_serves_is_only_mentioned() -> None:
    found = finding(500_000, 500_000, reading(each_ms=0.05))
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.HIGH)
    assert "took 0.05 ms on average: as quick as from the system's cache, so that more" in found.message
    assert finding(500_000, 500_000, reading(each_ms=0.051)).severity is Severity.WARNING


def test_without_timing_it_is_less_sure() -> None:
    found = finding(850_000, 150_000, reading(each_ms=0), settings=UNTIMED)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.MEDIUM)
    assert (
        "150,000 were read from elsewhere: whether from the disk or the system's cache is not known, as"
        in found.message
    )
    assert "as track_io_timing is off. Of what queries read, the most was by those on public.task" in found.message
    assert "read_ms_per_block" not in found.evidence
    for statements in ((), (reading(999),)):
        assert finding(850_000, 150_000, *statements).message.count("as too few reads of statements are known.") == 1


@pytest.mark.parametrize(
    ("hit", "read", "severity"),
    [
        (950_000, 50_000, None),
        (949_999, 50_001, Severity.INFO),
        (900_000, 100_000, Severity.INFO),
        (899_999, 100_001, Severity.WARNING),
        (0, 1_000_000, Severity.WARNING),
    ],
)
def test_the_thresholds(hit: int, read: int, severity: Severity | None) -> None:
    assert [one.severity for one in said(hit, read) if isinstance(one, Finding)] == ([severity] if severity else [])


def test_a_small_sample_and_a_short_window_are_not_judged() -> None:
    (few,) = said(0, 49_999)
    assert few == Unseen("shop", "fewer than 50,000 blocks were asked for within 24 h")
    finding(0, 50_000)
    (short,) = said(0, 1_000_000, window=a_window(0.9), statement_window=a_window(0.9))
    assert short == Unseen("shop", "counted for less than 1 h, which may be those of one job")


@pytest.mark.parametrize("text", ["COPY public.task (id) TO stdout", "VACUUM task", "CREATE INDEX ON task (note)"])
def test_what_reads_everything_once_is_left_out(text: str) -> None:
    one = reading(400_000, text=text, shared_blocks_hit=10_000)
    assert said(970_000, 410_000, one) == []
    found = finding(910_000, 450_000, one)
    assert (found.evidence["blocks_hit"], found.evidence["blocks_read"]) == (900_000, 50_000)
    unknown: tuple[dict[str, Any], ...] = (
        {"statement_window": a_window(20)},  # what was counted over another time is no part of it
        {"statement_window": None},
        {"statement_tracking": a_tracking(sees_all_roles=False)},
        {"statement_tracking": None},
    )
    for options in unknown:
        found = finding(970_000, 410_000, one, **options)
        assert found.evidence["blocks_read"] == 410_000
        assert found.confidence is Confidence.LOW
        assert found.message.endswith(" What a dump may have read is among them.")


# On real servers.


def a_large(database: Database) -> None:
    """A table of more than a quarter of shared_buffers, so that a scan of it keeps to a ring of its own."""
    database.execute("CREATE EXTENSION pg_stat_statements")
    database.execute("""
        CREATE TABLE large AS SELECT n AS id, repeat('x', 700) AS note FROM generate_series(1, 60000) n;
        CREATE TABLE small AS SELECT n AS id FROM generate_series(1, 2000) n;
        ALTER TABLE small ADD PRIMARY KEY (id);
        ANALYZE large, small
    """)


def now(database: Database) -> Before:
    flush(database)
    return Before(snapshot_of(database), earlier=timedelta(hours=3))


def test_a_table_that_is_read_again_and_again_is_found_and_gone_with_an_index(database: Database) -> None:
    a_large(database)
    before = now(database)
    for number in range(12):
        database.execute("SELECT count(*) FROM large WHERE id = %s", number)
    # How quick the disk of the tests is, nobody knows.
    (found,) = look_over(database, CHECK, before, quick_ms=0).findings
    assert found.target == Target(Kind.DATABASE, database.name)
    assert found.severity is Severity.WARNING
    assert "by those on public.large (" in found.message
    assert float(found.evidence["read_ms_per_block"]) > 0
    (quick,) = look_over(database, CHECK, before, quick_ms=1000).findings
    assert quick.severity is Severity.INFO
    database.execute("CREATE INDEX ON large (id)")
    later = now(database)
    database.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    for _ in range(20):
        database.execute(
            "SELECT count(l.note) FROM small s, LATERAL (SELECT note FROM large WHERE id = s.id OFFSET 0) l"
        )
    assert look_over(database, CHECK, later).result.outcome is Outcome.OK


def test_a_dump_is_no_reason(database: Database) -> None:
    a_large(database)
    before = now(database)
    program = database.server.binaries.program("pg_dump")
    for _ in range(9):
        subprocess.run([program, "--file=/dev/null", database.dsn], check=True, capture_output=True)
    for _ in range(40):
        database.execute(
            "SELECT count(*) FROM generate_series(1, 2000) n, LATERAL (SELECT FROM small WHERE id = n OFFSET 0) s"
        )
    looked = look_over(database, CHECK, before)
    assert looked.result.outcome is Outcome.OK
    assert look_over(database, CHECK, before, sections={"statement_window": a_window()}).targets == [database.name]


def test_a_role_with_nothing_but_a_connection_sees_it_too(database: Database) -> None:
    a_large(database)
    role = database.create_role(f"{database.name}_bare")
    before = now(database)
    for number in range(12):
        database.execute("SELECT count(*) FROM large WHERE id = %s", number)
    assert look_over(database, CHECK, before, role=role).targets == [database.name]


def test_a_young_database_and_one_without_a_history_are_skipped(database: Database) -> None:
    for looked in (look_over(database, CHECK), look_over(database, CHECK, Before(snapshot_of(database)))):
        assert looked.result.outcome is Outcome.SKIPPED
