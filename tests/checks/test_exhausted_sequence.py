from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dbops.checks.exhausted_sequence import check
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.rows import RelationSize, Sequence, SequenceValue
from tests.activity_builders import a_growth
from tests.builders import a_column, a_foreign_key, a_schema, a_sequence, a_table
from tests.checks.mending import assert_mends
from tests.looking import apply, look

if TYPE_CHECKING:
    from tests.servers import Database

CHECK = "exhausted_sequence"
INT = 2**31 - 1
BIGINT = 2**63 - 1
UP: dict[str, Any] = {"type": "integer", "maximum": INT}


def said(
    sequence: Sequence, last_value: int | None, *objects: Any, is_called: bool = True, **thresholds: Any
) -> list[Finding | Unseen]:
    unseen = "no SELECT on it" if last_value is None else None
    value = SequenceValue(sequence_oid=sequence.oid, last_value=last_value, is_called=is_called, unseen=unseen)
    return list(check(a_schema(*objects), (sequence,), (value,), **thresholds))


def findings(*arguments: Any, **options: Any) -> list[Finding]:
    everything = said(*arguments, **options)
    assert all(isinstance(one, Finding) for one in everything)
    return [one for one in everything if isinstance(one, Finding)]


def ratio(sequence: Sequence, last_value: int, *objects: Any, is_called: bool = True) -> float:
    (found,) = findings(sequence, last_value, *objects, is_called=is_called, used_ratio=0.0)
    used = found.evidence["used_ratio"]
    assert isinstance(used, float)
    return used


def test_the_finding_says_how_full_it_is_and_what_refers_to_the_key() -> None:
    (found,) = findings(
        a_sequence(**UP),
        1_954_301_002,
        a_table(),
        a_table(2, "note"),
        a_column(type_="integer"),
        a_column(1, "task_id", "integer", table_oid=2),
        a_column(2, "about_id", "bigint", table_oid=2),
        a_foreign_key(10, "a", table_oid=2, columns=(1,), to=1),
        a_foreign_key(11, "b", table_oid=2, columns=(2,), to=1),
        RelationSize(oid=1, size_bytes=2 * 1024**3),
        RelationSize(oid=2, size_bytes=1024**3),
    )
    assert found.target == Target(Kind.SEQUENCE, "public.task_id_seq")
    assert found.severity is Severity.CRITICAL
    assert found.basis is Basis.MEASURED
    assert not found.is_red
    assert found.message == (
        "91 % of integer is used (1,954,301,002 of 2,147,483,647); when it is full, every INSERT into public.task "
        "that takes a key from it fails. 2 columns refer to the key by foreign keys."
    )
    assert found.evidence == {
        "last_value": 1_954_301_002,
        "limit": INT,
        "limited_by": "integer",
        "remaining": 193_182_645,
        "used_ratio": 0.91,
    }
    assert found.fix is not None
    assert found.fix.sql == (
        "ALTER SEQUENCE public.task_id_seq AS bigint;",
        "ALTER TABLE public.task ALTER COLUMN id TYPE bigint;",
        "ALTER TABLE public.note ALTER COLUMN task_id TYPE bigint;",
    )
    assert found.fix.caution is not None
    assert found.fix.caution.startswith("rewrites 3.0 GB of public.note and public.task under an exclusive lock")
    assert found.location is not None
    assert (found.location.table_oid, found.location.columns) == (1, ("id",))


@pytest.mark.parametrize(
    ("last_value", "severity", "is_red"),
    [
        (749, None, False),
        (750, Severity.WARNING, False),
        (899, Severity.WARNING, False),
        (900, Severity.CRITICAL, False),
        (949, Severity.CRITICAL, False),
        (950, Severity.CRITICAL, True),
    ],
)
def test_thresholds(last_value: int, severity: Severity | None, is_red: bool) -> None:
    found = findings(a_sequence(maximum=1000), last_value)
    assert [(one.severity, one.is_red) for one in found] == ([] if severity is None else [(severity, is_red)])


def test_thresholds_can_be_set() -> None:
    assert findings(a_sequence(maximum=1000), 500, used_ratio=0.5, critical_ratio=0.5)[0].severity is Severity.CRITICAL


def test_it_never_reads_100_percent_while_something_is_left() -> None:
    (found,) = findings(a_sequence(**UP), INT - 1, a_table(), a_column(type_="integer"))
    assert found.message.startswith("99 % of integer")
    assert found.evidence["remaining"] == 1


@pytest.mark.parametrize(
    ("sequence", "last_value"),
    [
        ({"maximum": 1000}, 1000),
        ({"maximum": 1000, "increment": 600}, 601),
        ({"minimum": -5, "increment": -3, "maximum": -1}, -4),
    ],
    ids=["at the end", "no room for a step", "no room for a step down"],
)
def test_what_gives_nothing_more_is_used_up(sequence: dict[str, Any], last_value: int) -> None:
    (found,) = findings(a_sequence(**sequence), last_value, a_table(), a_column())
    assert found.message.startswith("It is used up (")
    assert found.message.endswith("): every INSERT into public.task that takes a key from it fails.")
    assert (found.severity, found.is_red, found.evidence["used_ratio"]) == (Severity.CRITICAL, True, 1.0)


@pytest.mark.parametrize(
    ("values", "last_value", "is_called", "used_ratio"),
    [
        ({"maximum": INT}, INT // 2 + 1, True, 0.5),
        ({"maximum": BIGINT, "start": 10}, 2**62, True, 0.5),
        ({"maximum": INT, "start": 2_000_000_000}, 2_000_000_000, False, 0.9313),
        ({"minimum": 1_000, "maximum": 1_999, "start": 1_000}, 1_000, False, 0.0),
        ({"minimum": 1, "maximum": 1_999, "start": 1_000}, 1_000, False, 0.0),
        ({"minimum": 2_000_000_000, "maximum": INT, "start": 2_000_000_000}, 2_000_000_000, False, 0.0),
        ({"minimum": -(2**31), "maximum": INT, "start": -(2**31)}, -1, True, 0.5),
        ({"minimum": -(2**31), "maximum": INT}, 1, True, 0.0),
        ({"minimum": -(2**31), "maximum": INT}, -(2**31), True, 0.0),
        ({"increment": -1, "minimum": -(2**31), "maximum": -1, "start": -1}, -(2**30), True, 0.5),
        ({"increment": -1, "minimum": 1, "maximum": 1000, "start": 1000}, 501, True, 0.5),
        ({"increment": 100, "maximum": 1000}, 401, True, 0.5),
        ({"maximum": 10}, 10, False, 0.9),
    ],
    ids=[
        "half an integer",
        "half a bigint",
        "begun high, limited by a type",
        "a block of its own",
        "begun high, with a limit that was chosen",
        "bounded on both sides",
        "from the negative end",
        "begun in the middle",
        "restarted at the negative end",
        "counting down",
        "counting down to 1",
        "in steps",
        "one value left and not yet given",
    ],
)
def test_the_ratio_is_of_the_values_there_are_to_give(
    values: dict[str, Any],
    last_value: int,
    is_called: bool,
    used_ratio: float,
) -> None:
    assert ratio(a_sequence(**values), last_value, is_called=is_called) == used_ratio


@pytest.mark.parametrize(
    ("sequence", "column", "limited_by"),
    [
        ({}, "integer", "integer"),
        ({}, "smallint", "smallint"),
        (UP, "bigint", "integer"),
        (UP, "integer", "integer"),
        ({}, "bigint", "bigint"),
        ({}, "text", "bigint"),
        ({}, "numeric", "bigint"),
        ({"maximum": 500}, "smallint", "MAXVALUE"),
        ({"maximum": INT}, "integer", "integer"),
        ({"maximum": INT}, "bigint", "MAXVALUE"),
    ],
)
def test_what_ends_first_is_the_limit(sequence: dict[str, Any], column: str, limited_by: str) -> None:
    (found,) = findings(a_sequence(**sequence), 1, a_table(), a_column(type_=column), used_ratio=0.0)
    assert found.evidence["limited_by"] == limited_by


def test_of_several_columns_the_narrowest_is_the_limit() -> None:
    (found,) = findings(
        a_sequence(used_by=((1, 1), (1, 2))),
        30_000,
        a_table(),
        a_column(type_="integer"),
        a_column(2, "short", "smallint"),
    )
    assert found.evidence["limit"] == 32_767
    assert found.location is not None
    assert found.location.columns == ("short",)


def test_a_sequence_that_feeds_no_column_is_judged_by_itself() -> None:
    (found,) = findings(a_sequence(used_by=(), **UP), 2_000_000_000)
    assert found.message.endswith("when it is full, every nextval() fails.")
    assert found.location is None
    assert found.fix is not None
    assert found.fix.sql == ("ALTER SEQUENCE public.task_id_seq AS bigint;",)
    assert found.fix.caution is None


def test_one_column_that_refers_to_the_key_is_counted_as_one() -> None:
    objects = (a_table(), a_table(2, "note"), a_column(type_="integer"), a_column(1, "task_id", table_oid=2))
    (found,) = findings(a_sequence(**UP), INT, *objects, a_foreign_key(10, "a", (1,), to=1, table_oid=2))
    assert found.message.endswith("1 column refers to the key by a foreign key.")


def test_numbers_below_zero_are_told_as_a_way() -> None:
    sequence = a_sequence(type="integer", increment=-1, start=-1, minimum=-(2**31), maximum=-1)
    (found,) = findings(sequence, -2_000_000_000, a_table(), a_column(type_="integer"))
    assert "(-2,000,000,000 on the way to -2,147,483,648)" in found.message


@pytest.mark.parametrize(("type_", "is_found"), [("bigint", False), ("integer", True)])
def test_a_cycling_sequence_only_matters_where_its_column_ends_before_it(type_: str, is_found: bool) -> None:
    sequence = a_sequence(cycles=True, maximum=2**40)
    last_value = INT - 1
    assert bool(said(sequence, last_value, a_table(), a_column(type_=type_))) is is_found


def test_a_full_bigint_has_no_fix() -> None:
    (found,) = findings(a_sequence(), BIGINT - 5, a_table(), a_column())
    assert found.fix is None
    assert found.is_red


@pytest.mark.parametrize(
    "column",
    [
        {"is_partition_key": True},
        {"is_inherited": True},
        {"type_": "public.small", "base_type": "integer"},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_column_whose_type_cannot_be_changed_gets_no_fix(column: dict[str, Any]) -> None:
    (found,) = findings(a_sequence(**UP), INT, a_table(), a_column(**{"type_": "integer", **column}))
    assert found.fix is None


def test_silent_about_sequences_of_extensions() -> None:
    assert said(a_sequence(extension="pg_cron", **UP), INT) == []


def test_what_could_not_be_read_is_said() -> None:
    assert said(a_sequence(), None) == [Unseen("public.task_id_seq", "no SELECT on it")]
    assert list(check(a_schema(), (a_sequence(),), ())) == [Unseen("public.task_id_seq", "its value was not read")]


@pytest.mark.parametrize(
    "column",
    [
        "serial PRIMARY KEY",
        "smallserial PRIMARY KEY",
        "int GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "smallint GENERATED BY DEFAULT AS IDENTITY (START -1 INCREMENT -1) PRIMARY KEY",
        "bigserial PRIMARY KEY",
    ],
)
def test_what_is_too_narrow_is_widened(database: Database, column: str) -> None:
    database.execute(f'CREATE TABLE "Mixed ""Ключ" (id {column}, up int)')
    ((sequence,),) = database.execute("SELECT seqrelid::regclass::text FROM pg_sequence")
    if "bigserial" in column:
        database.execute(f"ALTER SEQUENCE {sequence} AS integer")
    ((last,),) = database.execute("SELECT CASE WHEN seqincrement > 0 THEN seqmax ELSE seqmin END FROM pg_sequence")
    database.execute("SELECT setval(%s, %s)", sequence, last - (3 if last > 0 else -3))
    (found,) = look(database, CHECK).findings
    assert found.is_red
    assert_mends(database, CHECK, found)


def test_a_full_table_takes_rows_again_with_those_that_refer_to_it(database: Database) -> None:
    database.execute(
        "CREATE TABLE a (id serial PRIMARY KEY, up int REFERENCES a); CREATE TABLE b (id int PRIMARY KEY REFERENCES a)"
    )
    database.execute("CREATE TABLE c (b_id int REFERENCES b, CONSTRAINT named FOREIGN KEY (b_id) REFERENCES a)")
    database.execute(f"SELECT setval('a_id_seq', {INT})")
    with pytest.raises(psycopg.errors.SequenceGeneratorLimitExceeded):
        database.execute("INSERT INTO a DEFAULT VALUES")
    (found,) = look(database, CHECK).findings
    assert "3 columns refer to the key by foreign keys." in found.message
    assert_mends(database, CHECK, found)
    ((key,),) = database.execute("INSERT INTO a DEFAULT VALUES RETURNING id")
    database.execute(f"UPDATE a SET up = {key}; INSERT INTO b VALUES ({key}); INSERT INTO c VALUES ({key})")
    assert look(database, "mismatched_foreign_key").findings == []


@pytest.mark.parametrize(
    "sequence",
    ["MAXVALUE 1000", "INCREMENT -1 MINVALUE -1000", "AS smallint MAXVALUE 1000"],
)
def test_a_limit_that_somebody_chose_is_lifted(database: Database, sequence: str) -> None:
    database.execute(f"CREATE SEQUENCE s {sequence}; CREATE TABLE t (id smallint DEFAULT nextval('s'))")
    database.execute("SELECT setval('s', %s)", -990 if "-1" in sequence else 990)
    (found,) = look(database, CHECK).findings
    assert "of its M" in found.message
    assert found.fix is not None
    assert len(found.fix.sql) == 1
    assert_mends(database, CHECK, found)


@pytest.mark.parametrize("sequence", [f"MAXVALUE {INT}", "AS integer MAXVALUE 2147480000"])
def test_where_lifting_it_is_not_enough_the_column_is_widened_too(database: Database, sequence: str) -> None:
    database.execute(f"CREATE SEQUENCE s {sequence}; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'))")
    database.execute("SELECT setval('s', 2147470000)")
    (found,) = look(database, CHECK).findings
    assert_mends(database, CHECK, found)


def test_one_sequence_of_a_partitioned_table_is_one_finding(database: Database) -> None:
    database.execute(
        "CREATE TABLE p (gone int, k int, id serial) PARTITION BY LIST (k); ALTER TABLE p DROP COLUMN gone"
    )
    database.execute("CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p_2 PARTITION OF p DEFAULT")
    database.execute("SELECT setval('p_id_seq', 2000000000)")
    (found,) = look(database, CHECK).findings
    assert "every INSERT into public.p that takes" in found.message
    assert_mends(database, CHECK, found)


def test_inheritance_children_share_the_sequence_and_the_fix(database: Database) -> None:
    database.execute("CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (x int) INHERITS (a)")
    database.execute("SELECT setval('a_id_seq', 2000000000)")
    (found,) = look(database, CHECK).findings
    assert_mends(database, CHECK, found)


#: What the page advises to win time, some time ago.
SENT_BACK = "ALTER SEQUENCE {name} MINVALUE -2147483648 RESTART -2147483648; SELECT setval('{name}', {at})"


@pytest.mark.parametrize("column", ["serial", "int GENERATED BY DEFAULT AS IDENTITY"])
def test_the_other_half_ends_where_the_old_keys_begin(database: Database, column: str) -> None:
    database.execute(f"CREATE TABLE t (id {column} PRIMARY KEY, up int REFERENCES t)")
    database.execute("INSERT INTO t SELECT generate_series(1, 9) UNION SELECT 2147483600")
    database.execute(SENT_BACK.format(name="t_id_seq", at=-20_000_000))
    (found,) = look(database, CHECK).findings
    assert (found.severity, found.is_red) == (Severity.CRITICAL, True)
    assert found.message == (
        "99 % of the way to the keys that exist already is used (-20,000,000 on the way to 1); from there on, every "
        "INSERT into public.t that takes a key from it fails: they go up to 2,147,483,600. "
        "1 column refers to the key by a foreign key."
    )
    assert_mends(database, CHECK, found)
    assert look(database, "lagging_sequence").findings == []
    assert database.execute("INSERT INTO t DEFAULT VALUES RETURNING id") == [(2_147_483_601,)]


def test_a_sequence_that_counts_down_can_be_sent_to_the_other_half_too(database: Database) -> None:
    database.execute("CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1) PRIMARY KEY)")
    database.execute("INSERT INTO t SELECT generate_series(-9, -1) UNION SELECT -2147483600")
    database.execute("ALTER SEQUENCE t_id_seq MAXVALUE 2147483647; SELECT setval('t_id_seq', 20000000)")
    (found,) = look(database, CHECK).findings
    assert "99 % of the way" in found.message
    assert "they go down to -2,147,483,600." in found.message
    assert_mends(database, CHECK, found)


def test_a_chosen_end_is_lifted_and_the_other_half_left(database: Database) -> None:
    database.execute("CREATE SEQUENCE s MINVALUE -1000 MAXVALUE 1000 START -1000")
    database.execute("CREATE TABLE t (id bigint PRIMARY KEY DEFAULT nextval('s'))")
    database.execute("INSERT INTO t SELECT generate_series(1, 999); SELECT setval('s', -9)")
    (found,) = look(database, CHECK).findings
    assert (found.evidence["limit"], found.evidence["limited_by"]) == (0, "taken keys")
    assert_mends(database, CHECK, found)


def test_the_other_half_is_free_while_there_is_much_of_it(database: Database) -> None:
    database.execute(
        "CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t SELECT generate_series(2147483600, 2147483647)"
    )
    database.execute(SENT_BACK.format(name="t_id_seq", at=-2_000_000_000))
    assert look(database, CHECK).findings == []


@pytest.mark.parametrize("key", ["bigint", "int"])
def test_single_keys_in_the_other_half_are_no_end(database: Database, key: str) -> None:
    database.execute("CREATE SEQUENCE s AS int MINVALUE -2147483648 START -2147483648")
    database.execute(
        f"CREATE TABLE t (id {key} PRIMARY KEY DEFAULT nextval('s')); INSERT INTO t VALUES (0), (1), (999)"
    )
    database.execute("SELECT setval('s', -20)")
    assert look(database, CHECK).findings == []


def test_keys_that_are_not_unique_stop_nothing(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial); CREATE INDEX ON t (id); INSERT INTO t VALUES (1), (2147483647)")
    database.execute(SENT_BACK.format(name="t_id_seq", at=-20_000_000))
    assert look(database, CHECK).findings == []


def test_a_sequence_in_the_other_half_is_not_judged_without_the_keys(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t VALUES (1), (2147483647)")
    database.execute(SENT_BACK.format(name="t_id_seq", at=-20_000_000))
    role = database.create_role(f"{database.name}_bare")
    database.execute(f"GRANT SELECT ON SEQUENCE t_id_seq TO {role}")
    assert look(database, CHECK, role=role).result.reason == "no SELECT on it: public.t"
    value = SequenceValue(sequence_oid=500, last_value=-20, is_called=True, unseen=None)
    said = check(a_schema(a_table(), a_column()), (a_sequence(minimum=-99),), (value,))
    assert list(said) == [Unseen("public.task_id_seq", "the keys ahead of it were not read")]


def test_what_ends_below_0_is_judged_without_the_keys() -> None:
    below = a_sequence(minimum=-1000, maximum=-1, start=-1000)
    (found,) = findings(below, -9, a_table(), a_column())
    assert found.evidence["limit"] == -1
    unseen, other = said(a_sequence(minimum=-1000, maximum=9, start=-1000), -9, a_table(), a_column())
    assert isinstance(unseen, Unseen)
    assert isinstance(other, Finding)


def test_a_lone_key_before_the_old_ones_does_not_shorten_the_other_half(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t VALUES (-1000000000), (1), (2147483647)")
    database.execute(SENT_BACK.format(name="t_id_seq", at=-1_500_000_000))
    assert look(database, CHECK).findings == []
    database.execute("SELECT setval('t_id_seq', -30)")
    assert look(database, CHECK).findings


def test_fresh_and_cycling_sequences_are_fine(database: Database) -> None:
    database.execute("CREATE TABLE t (a serial, b bigint GENERATED ALWAYS AS IDENTITY, c smallserial)")
    database.execute("CREATE SEQUENCE numbers MAXVALUE 3 CYCLE; SELECT setval('numbers', 3)")
    database.execute("CREATE SEQUENCE invoices START 20260001 MAXVALUE 20269999")
    looked = look(database, CHECK)
    assert (looked.findings, looked.result.outcome) == ([], Outcome.OK)


def test_a_role_that_may_not_read_the_sequence_says_so(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial); SELECT setval('t_id_seq', 2147483647)")
    role = database.create_role("dbops_sequence_reader", pg_monitor=True)
    looked = look(database, CHECK, role=role)
    assert (looked.findings, looked.result.outcome) == ([], Outcome.SKIPPED)
    assert looked.result.reason == "no SELECT on it: public.t_id_seq"


def test_the_fix_keeps_what_the_identity_is(database: Database) -> None:
    database.execute("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")
    database.execute(f"SELECT setval('t_id_seq', {INT})")
    (found,) = look(database, CHECK).findings
    apply(database, found.fix)
    assert database.execute("INSERT INTO t DEFAULT VALUES RETURNING id") == [(INT + 1,)]


def foretold(last_value: int, growth: Any, *, sequence: Sequence | None = None, **thresholds: Any) -> list[Finding]:
    """What is found of a sequence up to a thousand, or another, that has grown so."""
    value = SequenceValue(sequence_oid=500, last_value=last_value, is_called=True, unseen=None)
    found = check(a_schema(), (sequence or a_sequence(maximum=1000),), (value,), None, (growth,), **thresholds)
    return [one for one in found if isinstance(one, Finding)]


def test_with_few_days_left_it_is_told_however_little_is_used() -> None:
    (found,) = foretold(280, a_growth(per_day=10, to=280))
    assert (found.severity, found.basis, found.confidence) == (Severity.WARNING, Basis.ESTIMATED, Confidence.MEDIUM)
    assert found.message == (
        "28 % of its MAXVALUE is used (280 of 1,000); when it is full, every nextval() fails. "
        "At the pace of the last 28 days (10 a day), that is in 72 days."
    )
    assert (found.evidence["days_left"], found.evidence["rows_per_day"]) == (72.0, 10)
    assert found.evidence["measured_days"] == 28.0
    (soon,) = foretold(700, a_growth(per_day=11, to=700))
    assert (soon.severity, soon.basis, soon.is_red) == (Severity.CRITICAL, Basis.ESTIMATED, False)
    assert foretold(280, a_growth(per_day=10, to=280), days_left=60) == []
    assert foretold(280, a_growth(per_day=10, to=280), critical_days_left=80)[0].severity is Severity.CRITICAL


@pytest.mark.parametrize(
    "growth",
    [
        a_growth(per_day=2, to=280),
        a_growth(per_day=90, days=3, to=280),
        a_growth(per_day=10, days=9, to=280),
        a_growth(values=(0, 0, 270, 270, 280)),
        a_growth(values=(100, 200, 10, 150, 280)),
        a_growth(values=(280,) * 5),
        a_growth(moments=a_growth().moments[:3], values=(0, 140, 280)),
        a_growth(oid=501, per_day=10, to=280),
        a_growth("key", oid=500, per_day=10, to=280),
    ],
    ids=[
        "days enough",
        "measured for three days",
        "further ahead than that tells",
        "one load",
        "set back",
        "still",
        "seen three times",
        "another sequence's",
        "a key's",
    ],
)
def test_silent_where_nothing_says_that_it_will_be_full_soon(growth: Any) -> None:
    assert foretold(280, growth) == []


def test_what_is_full_by_now_is_judged_by_that_and_says_when_it_ends() -> None:
    (found,) = foretold(800, a_growth(per_day=1, to=800))
    assert (found.severity, found.basis, found.confidence) == (Severity.WARNING, Basis.MEASURED, Confidence.HIGH)
    assert found.message.endswith("At the pace of the last 28 days (1 a day), that is in 200 days.")
    (short,) = foretold(800, a_growth(per_day=100, days=2, to=800))
    assert (short.severity, short.evidence["days_left"]) == (Severity.WARNING, 2.0)
    assert short.message.endswith("At the pace of the last 2 days (100 a day), that is in 2 days.")
    (used_up,) = foretold(1000, a_growth(per_day=10, to=1000))
    assert "pace" not in used_up.message


def test_values_are_counted_in_the_steps_that_the_sequence_takes() -> None:
    down = a_sequence(increment=-10, start=-1, minimum=-10_000, maximum=-1)
    values = tuple(-700 * quarter - 1 for quarter in range(5))
    (found,) = foretold(-2801, a_growth(values=values), sequence=down)
    assert (found.evidence["rows_per_day"], found.evidence["days_left"]) == (10, 71.9)
    up = a_growth(values=tuple(700 * quarter for quarter in range(5)))
    assert foretold(-2801, up, sequence=down) == []


@pytest.mark.parametrize("column", ["serial", "int GENERATED ALWAYS AS IDENTITY"])
def test_a_sequence_that_is_on_its_way_is_widened_before_it_is_full(database: Database, column: str) -> None:
    database.execute(f"CREATE TABLE t (id {column} PRIMARY KEY); SELECT setval('t_id_seq', 600000000)")
    ((oid,),) = database.execute("SELECT 't_id_seq'::regclass::oid::bigint")
    growing = {"growth": (a_growth(oid=oid, per_day=10_000_000, to=600_000_000),)}
    (found,) = look(database, CHECK, sections=growing).findings
    assert (found.severity, found.evidence["days_left"]) == (Severity.WARNING, 154.7)
    assert look(database, "exhausted_integer_key", sections=growing).findings == []
    assert_mends(database, CHECK, found, sections=growing)
    database.execute("CREATE TABLE u (id serial PRIMARY KEY); SELECT setval('u_id_seq', 600000000)")
    ((loaded,),) = database.execute("SELECT 'u_id_seq'::regclass::oid::bigint")
    once = {"growth": (a_growth(oid=loaded, values=(1, 1, 600_000_000, 600_000_000, 600_000_000)),)}
    assert look(database, CHECK, sections=once).findings == []
