from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbops.checks.exhausted_integer_key import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.key_rows import KeyRange
from dbops.snapshot.rows import Sequence, SequenceKey, SequenceValue
from tests.activity_builders import a_growth
from tests.builders import a_column, a_constraint, a_foreign_key, a_schema, a_sequence, a_table
from tests.checks.mending import assert_mends
from tests.looking import look

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "exhausted_integer_key"
END = 2**31 - 1
HALF = 2**30
PRIMARY = a_constraint(1000, "task_pkey", "p")


def said(
    *objects: Any,
    keys: tuple[int | None, int | None] | None = None,
    sequence: Sequence | None = None,
    last_value: int | None = None,
    extreme: int | None = None,
    type_: str = "integer",
    row_count: int | None = END,
    unseen: str | None = None,
    growth: Any = None,
    **thresholds: Any,
) -> list[Finding | Unseen]:
    """What the check says of public.task.id, between `keys` or fed by a sequence that stands at `last_value`."""
    table = a_table(row_estimate=row_count)
    schema = a_schema(table, a_column(type_=type_), PRIMARY, *objects)
    ranges, values, fed = [], [], []
    if keys is not None or (unseen is not None and last_value is None):
        smallest, largest = keys or (None, None)
        ranges = [KeyRange(table_oid=1, column=1, smallest_key=smallest, largest_key=largest, unseen=unseen)]
    if last_value is not None or extreme is not None:
        sequence = sequence or a_sequence()
        values = [SequenceValue(sequence_oid=500, last_value=last_value, is_called=True, unseen=None)]
        fed = [
            SequenceKey(
                sequence_oid=500, table_oid=1, column=1, extreme_key=extreme, first_collision=None, unseen=unseen
            )
        ]
    sequences = (sequence,) if sequence else ()
    return list(check(schema, sequences, tuple(values), tuple(fed), tuple(ranges), growth, **thresholds))


def finding(*objects: Any, **options: Any) -> Finding:
    (found,) = said(*objects, **options)
    assert isinstance(found, Finding)
    return found


def test_half_of_the_type_is_used() -> None:
    found = finding(keys=(1, 1_250_000_000))
    assert found.target == Target(Kind.COLUMN, "public.task.id")
    assert (found.severity, found.basis, found.confidence) == (Severity.WARNING, Basis.MEASURED, Confidence.HIGH)
    assert found.message == (
        "58 % of its integer is used (1,250,000,000 of 2,147,483,647); when it is full, every INSERT into public.task "
        "fails."
    )
    assert found.evidence == {
        "extreme_key": 1_250_000_000,
        "limit": END,
        "limited_by": "integer",
        "used_ratio": 0.5821,
        "referring_columns": 0,
    }
    assert found.fix is not None
    assert found.fix.sql == ("ALTER TABLE public.task ALTER COLUMN id TYPE bigint;",)
    assert not found.is_red
    assert found.location is not None
    assert (found.location.table_oid, found.location.columns) == (1, ("id",))


@pytest.mark.parametrize(
    ("largest", "severity", "is_red"),
    [
        (HALF - 1, None, False),
        (HALF, Severity.WARNING, False),
        (int(END * 0.75), Severity.WARNING, False),
        (int(END * 0.75) + 1, Severity.CRITICAL, False),
        (int(END * 0.95) + 1, Severity.CRITICAL, True),
        (END, Severity.CRITICAL, True),
    ],
)
def test_how_bad_it_is_goes_by_how_full_it_is(largest: int, severity: Severity | None, is_red: bool) -> None:
    found = [(one.severity, one.is_red) for one in said(keys=(1, largest)) if isinstance(one, Finding)]
    assert found == ([(severity, is_red)] if severity else [])


def test_the_ratios_are_thresholds() -> None:
    assert said(keys=(1, HALF), used_ratio=0.6) == []
    assert finding(keys=(1, HALF), critical_ratio=0.5).severity is Severity.CRITICAL


def test_negative_keys_end_too() -> None:
    found = finding(keys=(-30_000, -1), type_="smallint")
    assert found.message.startswith("91 % of its smallint is used (-30,000 on the way to -32,768); ")


def test_every_column_that_refers_to_the_key_goes_with_it() -> None:
    others = [a_table(2, "note"), a_table(3, "wide"), a_table(4, "task_extra")]
    columns = [
        a_column(2, "task_id", "integer", table_oid=2),
        a_column(2, "task_id", "bigint", table_oid=3),
        a_column(1, "task_id", "integer", table_oid=4),
    ]
    keys = [
        a_foreign_key(10 + oid, f"fk_{oid}", columns=(number,), to=1, table_oid=oid)
        for oid, number in ((2, 2), (3, 2), (4, 1))
    ]
    found = finding(*others, *columns, *keys, a_constraint(20, "extra_pkey", "p", table_oid=4), keys=(1, HALF))
    assert found.rolled_up == ("public.note.task_id", "public.task_extra.task_id")
    assert found.message.endswith(" 3 columns refer to the key by foreign keys.")
    assert found.fix is not None
    assert [statement.split()[2] for statement in found.fix.sql] == ["public.task", "public.note", "public.task_extra"]


@pytest.mark.parametrize("keys", [(None, None), (1, 20), (-5, 5)], ids=["empty", "few", "around nought"])
def test_silent_while_there_is_room(keys: tuple[int | None, int | None]) -> None:
    assert said(keys=keys) == []


def test_a_key_that_leaps_is_only_mentioned() -> None:
    found = finding(keys=(1, END), row_count=12)
    assert (found.severity, found.confidence, found.is_red) == (Severity.INFO, Confidence.LOW, False)
    assert "it was not reached by counting" in found.message
    assert finding(keys=(1, END), row_count=12, leap_ratio=0.0).severity is Severity.CRITICAL


def test_without_a_count_of_rows_it_is_less_sure() -> None:
    assert finding(keys=(1, END), row_count=None).confidence is Confidence.MEDIUM


def test_a_sequence_on_its_way_counts_though_most_rows_were_deleted() -> None:
    found = finding(last_value=HALF + 1, extreme=HALF, row_count=3)
    assert (found.severity, found.evidence["extreme_key"]) == (Severity.WARNING, HALF + 1)


def test_a_key_that_leaps_does_not_hide_where_the_sequence_is() -> None:
    found = finding(last_value=HALF + 1, extreme=END, row_count=3)
    assert (found.severity, found.evidence["extreme_key"]) == (Severity.WARNING, HALF + 1)


def test_rows_beyond_a_sequence_count_as_any_other() -> None:
    assert finding(last_value=5, extreme=END, row_count=END).severity is Severity.CRITICAL
    assert finding(last_value=5, extreme=END, row_count=5).severity is Severity.INFO


@pytest.mark.parametrize("last_value", [int(END * 0.75) + 1, END])
def test_silent_from_where_the_sequence_is_reported(last_value: int) -> None:
    assert said(last_value=last_value, extreme=last_value) == []
    assert said(last_value=last_value, sequence=a_sequence(type="integer", maximum=END)) == []
    assert finding(last_value=last_value, sequence_ratio=1.1).severity is Severity.CRITICAL


def test_silent_where_the_sequences_own_end_is_reported() -> None:
    assert said(last_value=1_200_000_000, sequence=a_sequence(maximum=1_300_000_000)) == []


def test_a_sequence_nobody_reports_leaves_it_to_this_check() -> None:
    assert finding(last_value=END - 9, sequence=a_sequence(extension="cron")).severity is Severity.CRITICAL
    cycling = a_sequence(cycles=True, maximum=END - 1)
    assert finding(last_value=END - 9, sequence=cycling).severity is Severity.CRITICAL


def test_the_half_left_behind_is_no_alarm() -> None:
    restarted = a_sequence(type="integer", minimum=-(2**31), maximum=END)
    assert said(last_value=-(2**31) + 5, extreme=END, sequence=restarted) == []


def test_silent_about_wide_keys_and_columns_that_are_no_keys() -> None:
    assert said(keys=(1, END), type_="bigint") == []
    assert said(keys=(1, END), type_="numeric") == []
    together = a_constraint(1000, "task_pkey", "p", columns=(1, 2))
    schema = a_schema(a_table(), a_column(type_="integer"), a_column(2, "part", "integer"), together)
    ranges = (KeyRange(table_oid=1, column=1, smallest_key=1, largest_key=END, unseen=None),)
    assert list(check(schema, (), (), (), ranges)) == []


def test_what_could_not_be_read_is_said() -> None:
    assert said(unseen="no SELECT on it") == [Unseen("public.task", "no SELECT on it")]
    assert said(last_value=7, unseen="no SELECT on it") == []


@pytest.mark.parametrize(
    ("type_", "name", "largest"),
    [("int", "task", 1_500_000_000), ("smallint", '"Mixed ""Ключ"', 20_000), ("int", "negative", -1_700_000_000)],
)
def test_a_full_key_is_widened_with_all_that_refer_to_it(
    database: Database, type_: str, name: str, largest: int
) -> None:
    database.execute(f'CREATE TABLE {name} ("Id" {type_} PRIMARY KEY, x int); INSERT INTO {name} VALUES ({largest})')
    database.execute(f"CREATE TABLE part (id bigint PRIMARY KEY, whole {type_} REFERENCES {name})")
    database.execute(f"CREATE TABLE one (whole {type_} PRIMARY KEY REFERENCES {name})")
    database.execute(f"INSERT INTO part VALUES (1, {largest}); INSERT INTO one VALUES ({largest})")
    (found,) = look(database, CHECK).findings
    assert found.target.name == f'public.{name}."Id"'
    assert found.evidence["extreme_key"] == largest
    assert found.rolled_up == ("public.one.whole", "public.part.whole")
    assert_mends(database, CHECK, found)


@pytest.mark.parametrize("column", ["serial PRIMARY KEY", "int GENERATED ALWAYS AS IDENTITY PRIMARY KEY"])
def test_a_key_and_its_sequence_are_told_once(database: Database, column: str) -> None:
    database.execute(f"CREATE TABLE t (id {column}, x int)")
    sequence = "pg_get_serial_sequence('t', 'id')"
    database.execute(f"SELECT setval({sequence}, {HALF}); INSERT INTO t (x) VALUES (1)")
    assert look(database, "exhausted_sequence").findings == []
    (found,) = look(database, CHECK).findings
    assert (found.target.name, found.severity) == ("public.t.id", Severity.WARNING)
    assert_mends(database, CHECK, found)
    assert database.execute("SELECT seqtypid::regtype::text FROM pg_sequence") == [("bigint",)]
    database.execute(f"SELECT setval({sequence}, {HALF + HALF // 2 + 9})")
    database.execute("ALTER TABLE t ALTER COLUMN id TYPE int")
    assert look(database, CHECK).findings == []
    assert look(database, "exhausted_sequence").targets == ["public.t_id_seq"]


def test_a_partitioned_table_is_told_as_one(database: Database) -> None:
    database.execute("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    database.execute("CREATE TABLE low PARTITION OF p FOR VALUES FROM (0) TO (9); INSERT INTO p VALUES (1)")
    database.execute("CREATE TABLE high PARTITION OF p DEFAULT; INSERT INTO p VALUES (2000000000)")
    (found,) = look(database, CHECK).findings
    assert (found.target.name, found.fix) == ("public.p.id", None)


def test_silent_about_small_numbers_and_what_is_no_key(database: Database) -> None:
    database.execute("CREATE TABLE few (id smallint PRIMARY KEY); INSERT INTO few SELECT generate_series(1, 99)")
    database.execute("CREATE TABLE wide (id bigint PRIMARY KEY); INSERT INTO wide VALUES (2147483647)")
    database.execute(
        "CREATE TABLE plain (id bigint PRIMARY KEY, n int UNIQUE); INSERT INTO plain VALUES (1, 2147483647)"
    )
    database.execute("CREATE TABLE empty (id int PRIMARY KEY); CREATE TABLE fresh (id serial PRIMARY KEY)")
    database.execute("CREATE TABLE stand_in (id int PRIMARY KEY)")
    database.execute("INSERT INTO stand_in SELECT generate_series(1, 99) UNION ALL SELECT 2147483647; ANALYZE stand_in")
    looked = look(database, CHECK)
    assert [(one.target.name, one.severity) for one in looked.findings] == [("public.stand_in.id", Severity.INFO)]


def test_keys_of_tables_that_inherit_are_their_own(database: Database) -> None:
    database.execute("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent)")
    database.execute("INSERT INTO child VALUES (2000000000)")
    assert look(database, CHECK).findings == []


def test_a_role_that_may_not_read_the_keys_says_so(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (2000000000)")
    looked = look(database, CHECK, role=database.create_role(f"{database.name}_bare", pg_monitor=True))
    assert (looked.findings, looked.result.outcome) == ([], Outcome.SKIPPED)
    assert looked.result.reason == "no SELECT on it: public.t"


def test_a_table_that_is_locked_costs_only_itself(database: Database) -> None:
    database.execute("CREATE TABLE held (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY)")
    database.execute("INSERT INTO t VALUES (2000000000)")
    with database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE held")
        looked = look(database, CHECK)
    assert looked.targets == ["public.t.id"]
    assert looked.result.reason == "locked by another session: public.held"


def a_key_growth(**values: Any) -> Any:
    """The section with the growth of public.task.id."""
    return (a_growth("key", oid=1, column=1, **values),)


MILLION = 1_000_000


def test_with_few_days_left_it_is_told_however_little_is_used() -> None:
    found = finding(keys=(1, 600 * MILLION), growth=a_key_growth(per_day=10 * MILLION, to=600 * MILLION))
    assert (found.severity, found.basis, found.confidence) == (Severity.WARNING, Basis.ESTIMATED, Confidence.MEDIUM)
    assert found.message == (
        "27 % of its integer is used (600,000,000 of 2,147,483,647); when it is full, every INSERT into public.task "
        "fails. At the pace of the last 28 days (10,000,000 a day), that is in 154 days."
    )
    assert (found.evidence["days_left"], found.evidence["rows_per_day"]) == (154.7, 10 * MILLION)
    soon = finding(keys=(1, HALF), growth=a_key_growth(per_day=38 * MILLION, to=HALF))
    assert (soon.severity, soon.basis, soon.is_red) == (Severity.CRITICAL, Basis.ESTIMATED, False)
    assert (
        said(keys=(1, 600 * MILLION), growth=a_key_growth(per_day=10 * MILLION, to=600 * MILLION), days_left=90) == []
    )


@pytest.mark.parametrize(
    "values",
    [
        {"per_day": MILLION, "to": 600 * MILLION},
        {"per_day": 100 * MILLION, "days": 5, "to": 600 * MILLION},
        {"values": (1, 1, 600 * MILLION, 600 * MILLION, 600 * MILLION)},
        {"per_day": 10 * MILLION, "to": 500 * MILLION},
    ],
    ids=["days enough", "measured for five days", "one load", "of another key"],
)
def test_silent_where_nothing_says_that_it_will_be_full_soon(values: dict[str, Any]) -> None:
    assert said(keys=(1, 600 * MILLION), growth=a_key_growth(**values)) == []


def test_keys_that_leap_have_no_pace() -> None:
    growth = a_key_growth(per_day=10 * MILLION, to=600 * MILLION)
    assert said(keys=(1, 600 * MILLION), row_count=900, growth=growth) == []
    found = finding(keys=(1, END), row_count=12, growth=a_key_growth(per_day=10 * MILLION, to=END))
    assert (found.severity, found.confidence) == (Severity.INFO, Confidence.LOW)
    assert "days_left" not in found.evidence


def test_a_fed_key_says_when_it_is_full_until_its_sequence_tells_of_it() -> None:
    slow = (a_growth(per_day=MILLION, to=HALF + 1),)
    found = finding(last_value=HALF + 1, extreme=HALF, growth=slow)
    assert (found.severity, found.basis, found.evidence["days_left"]) == (Severity.WARNING, Basis.MEASURED, 1073.7)
    assert "At the pace of the last 28 days (1,000,000 a day), that is in 1,073 days." in found.message
    fast = (a_growth(per_day=10 * MILLION, to=HALF + 1),)
    assert said(last_value=HALF + 1, extreme=HALF, growth=fast) == []
    assert finding(last_value=HALF + 1, extreme=HALF, growth=fast, sequence_days_left=90).basis is Basis.MEASURED
    cron = a_sequence(extension="cron")
    own = finding(last_value=600 * MILLION, sequence=cron, growth=(a_growth(per_day=10 * MILLION, to=600 * MILLION),))
    assert own.evidence["days_left"] == 154.7


def test_a_key_that_is_on_its_way_is_widened_before_it_is_full(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (600000000)")
    ((oid,),) = database.execute("SELECT 't'::regclass::oid::bigint")
    growing = {"growth": (a_growth("key", oid=oid, column=1, per_day=10 * MILLION, to=600 * MILLION),)}
    # One row with such a key is a leap once its table has been counted.
    options: dict[str, Any] = {"sections": growing, "leap_ratio": 0.0}
    (found,) = look(database, CHECK, **options).findings
    assert (found.target.name, found.basis) == ("public.t.id", Basis.ESTIMATED)
    assert_mends(database, CHECK, found, **options)
