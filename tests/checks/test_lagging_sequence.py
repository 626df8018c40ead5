from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.lagging_sequence import check
from dbops.findings.finding import Basis, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.replication_rows import SubscribedTable
from dbops.snapshot.rows import Sequence, SequenceKey, SequenceValue
from tests.builders import a_column, a_schema, a_sequence, a_table, an_index
from tests.checks.mending import assert_mends
from tests.looking import apply, look

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "lagging_sequence"
UNIQUE = an_index(is_unique=True)
TABLE = (a_table(), a_column())


def said(
    extreme: int | None,
    collision: int | None,
    *objects: Any,
    sequence: Sequence | None = None,
    last_value: int = 1,
    is_called: bool = False,
    unseen: str | None = None,
    **thresholds: Any,
) -> list[Finding | Unseen]:
    sequence = sequence or a_sequence()
    value = SequenceValue(sequence_oid=500, last_value=last_value, is_called=is_called, unseen=None)
    key = SequenceKey(
        sequence_oid=500, table_oid=1, column=1, extreme_key=extreme, first_collision=collision, unseen=unseen
    )
    return list(check(a_schema(*TABLE, *(objects or (UNIQUE,))), (sequence,), (value,), (key,), **thresholds))


def finding(*arguments: Any, **options: Any) -> Finding:
    (found,) = said(*arguments, **options)
    assert isinstance(found, Finding)
    return found


def test_the_next_insert_fails() -> None:
    found = finding(104_233, 1)
    assert found.target == Target(Kind.SEQUENCE, "public.task_id_seq")
    assert (found.severity, found.basis) == (Severity.CRITICAL, Basis.MEASURED)
    assert found.message == (
        "The next INSERT into public.task fails: the sequence gives 1, and that key exists; keys go up to 104,233."
    )
    assert found.evidence == {"next_value": 1, "first_collision": 1, "inserts_left": 0, "extreme_key": 104_233}
    assert found.fix is not None
    (statement,) = found.fix.sql
    assert statement == (
        "SELECT setval('public.task_id_seq', last_key) "
        "FROM (SELECT (SELECT max(id) FROM public.task) AS last_key) AS keys, public.task_id_seq "
        "WHERE last_key > last_value OR last_key >= last_value AND NOT is_called;"
    )
    assert found.fix.undo == ("SELECT setval('public.task_id_seq', 1, false);",)
    assert found.fix.caution is None
    assert found.location is not None
    assert (found.location.table_oid, found.location.columns) == (1, ("id",))


def test_a_later_insert_fails() -> None:
    found = finding(500, 500, last_value=1, is_called=True)
    assert found.severity is Severity.WARNING
    assert found.message == "498 values from now an INSERT into public.task gets 500 and fails: that key exists."


@pytest.mark.parametrize(
    ("collision", "severity"), [(100_001, Severity.WARNING), (100_002, Severity.INFO), (999_999_999, Severity.INFO)]
)
def test_a_key_far_ahead_is_only_mentioned(collision: int, severity: Severity) -> None:
    assert finding(collision, collision).severity is severity


def test_how_far_is_a_threshold() -> None:
    assert finding(10, 10, near_inserts=5).severity is Severity.INFO


def test_steps_are_counted_not_numbers() -> None:
    found = finding(41, 41, sequence=a_sequence(increment=10))
    assert found.evidence["inserts_left"] == 4


def test_a_sequence_that_counts_down_is_moved_down() -> None:
    sequence = a_sequence(increment=-1, start=-1, minimum=-(2**63), maximum=-1)
    found = finding(-9, -1, sequence=sequence, last_value=-1)
    assert found.message.endswith("keys go down to -9.")
    assert found.fix is not None
    assert "(SELECT min(id) FROM public.task) AS last_key" in found.fix.sql[0]
    assert "last_key < last_value" in found.fix.sql[0]


def test_a_move_that_uses_up_much_of_the_sequence_is_a_matter_of_caution() -> None:
    sequence = a_sequence(type="integer", maximum=2**31 - 1)
    found = finding(2_000_000_000, 1, sequence=sequence)
    assert found.fix is not None
    assert found.fix.caution == "moves the sequence on to 2,000,000,000, which leaves it 147,483,647 values"


def test_a_move_is_measured_by_the_column_where_that_ends_before_the_sequence() -> None:
    key = SequenceKey(
        sequence_oid=500, table_oid=1, column=1, extreme_key=2_000_000_000, first_collision=1, unseen=None
    )
    value = SequenceValue(sequence_oid=500, last_value=1, is_called=False, unseen=None)
    schema = a_schema(a_table(), a_column(type_="integer"), UNIQUE)
    (found,) = check(schema, (a_sequence(),), (value,), (key,))
    assert isinstance(found, Finding)
    assert found.fix is not None
    assert found.fix.caution == "moves the sequence on to 2,000,000,000, which leaves it 147,483,647 values"


def test_a_sequence_is_not_moved_to_its_very_end() -> None:
    found = finding(2**31 - 1, 1, sequence=a_sequence(type="integer", maximum=2**31 - 1))
    assert (found.severity, found.fix) == (Severity.CRITICAL, None)


def test_a_sequence_is_not_used_up_for_one_key_far_ahead() -> None:
    integer = a_sequence(type="integer", maximum=2**31 - 1)
    assert finding(999_999_999, 999_999_999, sequence=integer).fix is None
    assert finding(1_000_000, 1_000_000, sequence=integer).fix is not None
    assert finding(999_999_999, 999_999_999).fix is not None


def test_a_sequence_that_cycles_gets_no_fix() -> None:
    found = finding(20, 1, sequence=a_sequence(maximum=100, cycles=True), last_value=100, is_called=True)
    assert (found.severity, found.fix) == (Severity.CRITICAL, None)


def test_without_the_last_key_there_is_no_telling_where_to_go() -> None:
    found = finding(None, 1)
    assert found.fix is None
    assert "extreme_key" not in found.evidence


def test_a_sequence_cannot_be_moved_beyond_its_end() -> None:
    assert finding(5_000, 1, sequence=a_sequence(maximum=1_000)).fix is None


@pytest.mark.parametrize(
    "index",
    [
        {"is_unique": False},
        {"is_ready": False},
        {"is_partial": True},
        {"has_expressions": True},
        {"columns": (1, 2)},
        {"columns": (2,)},
    ],
    ids=lambda values: next(iter(values)),
)
def test_silent_where_the_column_alone_is_not_unique(index: dict[str, Any]) -> None:
    weak = an_index(**{"is_unique": True, **index})
    assert said(9, 1, weak) == []
    assert said(None, None, weak, unseen="no SELECT on it") == []


def test_an_included_column_does_not_make_the_key_wider() -> None:
    assert said(9, 1, an_index(columns=(1, 2), key_count=1, is_unique=True))


@pytest.mark.parametrize("keys", [(None, None), (50, None)], ids=["empty", "all behind"])
def test_silent_when_nothing_is_in_the_way(keys: tuple[int | None, None]) -> None:
    assert said(*keys) == []


def test_silent_about_sequences_of_extensions() -> None:
    assert said(9, 1, sequence=a_sequence(extension="pg_cron")) == []


def test_a_full_sequence_is_another_checks_matter() -> None:
    assert said(9, 9, sequence=a_sequence(maximum=8), last_value=8, is_called=True) == []


SUBSCRIBED = (SubscribedTable(table_oid=1),)


def test_what_comes_by_a_subscription_lags_until_this_becomes_the_primary() -> None:
    value = SequenceValue(sequence_oid=500, last_value=1, is_called=False, unseen=None)
    key = SequenceKey(sequence_oid=500, table_oid=1, column=1, extreme_key=9, first_collision=1, unseen=None)
    (found,) = check(a_schema(*TABLE, UNIQUE), (a_sequence(),), (value,), (key,), SUBSCRIBED)
    assert isinstance(found, Finding)
    assert found.severity is Severity.INFO
    assert found.message.endswith(
        "Its rows come by a subscription, which moves no sequence: set it before this becomes the primary."
    )
    assert found.fix is not None
    assert found.fix.caution == "run it when the last rows have come, right before this becomes the primary"
    (other,) = check(a_schema(*TABLE, UNIQUE), (a_sequence(),), (value,), (key,), (SubscribedTable(table_oid=2),))
    assert isinstance(other, Finding)
    assert other.severity is Severity.CRITICAL


def test_a_partition_that_is_subscribed_to_stands_for_its_table() -> None:
    schema = a_schema(a_table(kind="p"), a_column(), UNIQUE, a_table(2, "task_1", is_partition=True, parent_oid=1))
    value = SequenceValue(sequence_oid=500, last_value=1, is_called=False, unseen=None)
    key = SequenceKey(sequence_oid=500, table_oid=1, column=1, extreme_key=9, first_collision=1, unseen=None)
    (found,) = check(schema, (a_sequence(),), (value,), (key,), (SubscribedTable(table_oid=2),))
    assert isinstance(found, Finding)
    assert found.severity is Severity.INFO


def test_what_could_not_be_read_is_said() -> None:
    assert said(None, None, unseen="no SELECT on it") == [Unseen("public.task", "no SELECT on it")]


def test_the_nearest_of_several_keys_counts_and_the_fix_passes_all() -> None:
    schema = a_schema(
        a_table(1, "a"),
        a_table(2, "b"),
        *(a_column(table_oid=oid) for oid in (1, 2)),
        *(an_index(100 + oid, table_oid=oid, is_unique=True) for oid in (1, 2)),
    )
    keys = tuple(
        SequenceKey(sequence_oid=500, table_oid=oid, column=1, extreme_key=key, first_collision=key, unseen=None)
        for oid, key in ((1, 70), (2, 20))
    )
    value = SequenceValue(sequence_oid=500, last_value=10, is_called=True, unseen=None)
    (found,) = check(schema, (a_sequence(),), (value,), keys)
    assert isinstance(found, Finding)
    assert "an INSERT into public.b gets 20 and fails" in found.message
    assert found.fix is not None
    assert "(SELECT max(id) FROM public.a), (SELECT max(id) FROM public.b)" in found.fix.sql[0]


@pytest.mark.parametrize(
    ("column", "keys", "inserted"),
    [
        ("serial", "generate_series(1, 7)", 8),
        ("int GENERATED BY DEFAULT AS IDENTITY", "generate_series(1, 7)", 8),
        ("bigint GENERATED BY DEFAULT AS IDENTITY (INCREMENT 10)", "generate_series(1, 30)", 31),
        ("bigint GENERATED BY DEFAULT AS IDENTITY (START 2 INCREMENT 2)", "generate_series(1, 8)", 10),
        ("bigint GENERATED BY DEFAULT AS IDENTITY (INCREMENT -3)", "generate_series(-9, -1)", -10),
        ("int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1)", "generate_series(-7, -1)", -8),
    ],
)
def test_a_sequence_that_stayed_behind_catches_up(database: Database, column: str, keys: str, inserted: int) -> None:
    table = '''"Mixed ""o'Ключ\\"'''
    database.execute(f'CREATE TABLE {table} ("Id" {column} UNIQUE, x int)')
    database.execute(f'INSERT INTO {table} ("Id") SELECT {keys}')
    (found,) = look(database, CHECK).findings
    assert found.severity is Severity.CRITICAL
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute(f"INSERT INTO {table} (x) VALUES (1)")
    (found,) = look(database, CHECK).findings
    assert_mends(database, CHECK, found)
    assert database.execute(f'INSERT INTO {table} (x) VALUES (1) RETURNING "Id"') == [(inserted,)]


def test_a_key_ahead_is_seen_before_it_is_met(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial PRIMARY KEY, x int); INSERT INTO t VALUES (4)")
    (found,) = look(database, CHECK).findings
    assert (found.severity, found.evidence["inserts_left"]) == (Severity.WARNING, 3)
    assert_mends(database, CHECK, found)


def test_the_fix_never_moves_a_sequence_back(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial PRIMARY KEY, x int); INSERT INTO t VALUES (4)")
    (found,) = look(database, CHECK).findings
    database.execute("SELECT setval('t_id_seq', 100)")
    apply(database, found.fix)
    assert database.execute("INSERT INTO t (x) VALUES (1) RETURNING id") == [(101,)]


@pytest.mark.parametrize(
    ("options", "keys", "stands"),
    [("", "(4)", 4), ("(INCREMENT 3)", "(4), (6)", 4), ("(INCREMENT -3)", "(-4), (-6)", -4)],
)
def test_a_sequence_that_is_not_behind_is_not_set_at_all(
    database: Database, options: str, keys: str, stands: int
) -> None:
    """Setting it to the largest key would take back the values of sessions whose rows cannot be seen yet."""
    database.execute(f"CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY {options} PRIMARY KEY, x int)")
    database.execute(f"INSERT INTO t VALUES {keys}")
    (found,) = look(database, CHECK).findings
    assert found.fix is not None
    (statement,) = found.fix.sql
    assert database.execute(statement) == [(stands,)]
    assert database.execute(statement) == []


def test_the_fix_can_be_applied_to_a_table_emptied_meanwhile(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial PRIMARY KEY, x int); INSERT INTO t VALUES (1)")
    (found,) = look(database, CHECK).findings
    database.execute("DELETE FROM t")
    apply(database, found.fix)
    assert database.execute("INSERT INTO t (x) VALUES (1) RETURNING id") == [(1,)]


def test_silent_about_what_cannot_fail(database: Database) -> None:
    database.execute(
        "CREATE TABLE fine (id serial PRIMARY KEY, x int); INSERT INTO fine (x) SELECT generate_series(1, 9)"
    )
    database.execute(
        "CREATE TABLE passed (id serial PRIMARY KEY); INSERT INTO passed VALUES (3); SELECT setval('passed_id_seq', 3)"
    )
    database.execute(
        "CREATE TABLE not_unique (id serial); CREATE INDEX ON not_unique (id); INSERT INTO not_unique VALUES (1)"
    )
    database.execute(
        "CREATE TABLE together (a int, id serial, PRIMARY KEY (id, a)); INSERT INTO together VALUES (1, 1)"
    )
    database.execute("CREATE TABLE odd (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT 2) PRIMARY KEY)")
    database.execute("INSERT INTO odd SELECT generate_series(2, 20, 2); CREATE TABLE empty (id serial PRIMARY KEY)")
    database.execute("CREATE SEQUENCE s; CREATE TABLE calculated (id int DEFAULT nextval('s') + 10 PRIMARY KEY, x int)")
    database.execute("INSERT INTO calculated (x) SELECT generate_series(1, 5)")
    database.execute("CREATE FUNCTION mixed(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 7919 % 1000003'")
    database.execute(
        "CREATE SEQUENCE m; CREATE TABLE hashed (id int DEFAULT mixed(nextval('m')::int) PRIMARY KEY, x int)"
    )
    database.execute("INSERT INTO hashed (x) SELECT generate_series(1, 5)")
    database.execute("CREATE TABLE above (id serial PRIMARY KEY); CREATE TABLE below () INHERITS (above)")
    database.execute("INSERT INTO below VALUES (1)")
    database.execute("CREATE TABLE detached (id serial PRIMARY KEY); INSERT INTO detached VALUES (1)")
    database.execute("ALTER TABLE detached ALTER COLUMN id DROP DEFAULT")
    looked = look(database, CHECK)
    assert (looked.findings, looked.result.outcome) == ([], Outcome.OK)


def test_partitions_are_told_as_their_table(database: Database) -> None:
    database.execute("CREATE TABLE p (gone int, id serial PRIMARY KEY, x int) PARTITION BY RANGE (id)")
    database.execute(
        "ALTER TABLE p DROP COLUMN gone; CREATE TABLE p_1 PARTITION OF p DEFAULT; INSERT INTO p VALUES (1)"
    )
    (found,) = look(database, CHECK).findings
    assert found.message == "The next INSERT into public.p fails: the sequence gives 1, and that key exists."
    assert_mends(database, CHECK, found)


def test_rows_written_while_it_looks_are_no_alarm(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial PRIMARY KEY, x int); INSERT INTO t (x) VALUES (1)")
    writer = database.connect()
    with writer.transaction():
        writer.execute("INSERT INTO t (x) VALUES (2)")
        assert look(database, CHECK).findings == []


def test_a_role_that_may_not_read_the_rows_says_so(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t VALUES (1)")
    role = database.create_role("dbops_rows_reader", pg_monitor=True)
    database.execute("GRANT SELECT ON SEQUENCE t_id_seq TO dbops_rows_reader")
    looked = look(database, CHECK, role=role)
    assert (looked.findings, looked.result.outcome) == ([], Outcome.SKIPPED)
    assert looked.result.reason == "no SELECT on it: public.t"


def test_a_subscriber_is_told_as_one_even_to_a_role_that_sees_no_subscription(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial PRIMARY KEY); CREATE TABLE own (id serial PRIMARY KEY)")
    database.execute("INSERT INTO t VALUES (1); INSERT INTO own VALUES (1)")
    # As the server itself keeps it: a publisher would have to be another server with wal_level = logical.
    database.execute("CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)")
    database.execute("INSERT INTO pg_subscription_rel SELECT oid, 't'::regclass, 'r', NULL FROM pg_subscription")
    try:
        role = database.create_role(f"{database.name}_reader", pg_monitor=True)
        database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        database.execute(f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")
        for looks_as in (None, role):
            found = {one.target.name: one.severity for one in look(database, CHECK, role=looks_as).findings}
            assert found == {"public.t_id_seq": Severity.INFO, "public.own_id_seq": Severity.CRITICAL}
        database.execute("REVOKE SELECT ON pg_subscription_rel FROM PUBLIC")
        assert set(look(database, CHECK, role=role).targets) == set(found)
    finally:
        database.execute("ALTER SUBSCRIPTION s SET (slot_name = NONE)")
        database.execute("DROP SUBSCRIPTION s")
