from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.snapshot.index_shape import Shape, is_leftover, is_usable, serves_look_up, shape_of, split_expressions
from tests.builders import an_index

if TYPE_CHECKING:
    from dbops.snapshot.rows import Index
    from tests.servers import Database

DESC, NULLS_FIRST = 1, 2


def shape(columns: tuple[int, ...] = (1,), **values: Any) -> Shape:
    found = shape_of(an_index(columns=columns, **values))
    assert found is not None
    return found


@st.composite
def indexes(draw: st.DrawFn) -> Index:
    """Indexes so much alike that equal shapes and prefixes come up often."""
    columns = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True))
    included = draw(st.lists(st.integers(1, 4), max_size=2, unique=True))
    predicate = draw(st.sampled_from([None, "(a > 1)"]))
    return an_index(
        columns=(*columns, *included),
        key_count=len(columns),
        options=tuple(draw(st.lists(st.sampled_from([0, 3]), min_size=len(columns), max_size=len(columns)))),
        method=draw(st.sampled_from(["btree", "hash"])),
        is_partial=predicate is not None,
        predicate=predicate,
    )


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_an_index_and_its_mirror_have_one_shape(options: list[int]) -> None:
    columns = tuple(range(1, len(options) + 1))
    mirrored = tuple(option ^ (DESC | NULLS_FIRST) for option in options)
    assert shape(columns, options=tuple(options)) == shape(columns, options=mirrored)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=4), st.data())
def test_an_order_mirrored_in_part_is_another_shape(options: list[int], data: st.DataObject) -> None:
    columns = tuple(range(1, len(options) + 1))
    turned = data.draw(st.sets(st.sampled_from(columns), min_size=1, max_size=len(columns) - 1))
    partly = tuple(option ^ 3 if column in turned else option for column, option in zip(columns, options, strict=True))
    assert shape(columns, options=tuple(options)) != shape(columns, options=partly)


@given(indexes())
def test_every_shape_extends_itself(index: Index) -> None:
    found = shape_of(index)
    assert found is not None
    assert found.extends(found)


@given(indexes(), indexes(), indexes())
def test_what_extends_an_extension_extends_the_first_too(one: Index, two: Index, three: Index) -> None:
    first, second, third = shape_of(one), shape_of(two), shape_of(three)
    assert first is not None
    assert second is not None
    assert third is not None
    if second.extends(first) and third.extends(second):
        assert third.extends(first)
    if first.extends(second) and second.extends(first):
        assert first == second


@given(st.permutations([1, 2, 3, 4]), st.lists(st.sampled_from([0, 3]), min_size=4, max_size=4), st.integers(1, 3))
def test_every_beginning_is_extended_whatever_way_it_is_read(columns: list[int], options: list[int], keys: int) -> None:
    whole = shape(tuple(columns), options=tuple(options))
    for turned in (0, 3):
        beginning = shape(tuple(columns[:keys]), options=tuple(option ^ turned for option in options[:keys]))
        assert whole.extends(beginning)
        assert not beginning.extends(whole)


@pytest.mark.parametrize(
    "other",
    [
        {"columns": (2, 1)},
        {"method": "hash"},
        {"operator_classes": (10, 20)},
        {"collations": (0, 100)},
        {"options": (0, DESC)},
        {"options": (0, NULLS_FIRST)},
        {"options": (0, DESC | NULLS_FIRST)},
        {"is_partial": True, "predicate": "(id > 0)"},
        {"columns": (1, 2, 3), "key_count": 2},
        {"table_oid": 2},
        {"columns": (1, 0), "has_expressions": True, "expressions": "lower(b)"},
    ],
)
def test_what_decides_about_queries_tells_shapes_apart(other: dict[str, Any]) -> None:
    assert shape((1, 2)) != shape(**{"columns": (1, 2), **other})


def test_names_and_uniqueness_do_not() -> None:
    assert shape((1, 2)) == shape((1, 2), is_unique=True, name="another")


def test_the_order_of_included_columns_does_not_matter_nor_do_those_that_are_keys() -> None:
    one, other = shape((1, 2, 3), key_count=1), shape((1, 3, 2, 1), key_count=1)
    assert one == other


def test_an_extension_must_have_the_included_columns_as_keys_or_included() -> None:
    including = shape((1, 3), key_count=1)
    assert shape((1, 2, 3)).extends(including)
    assert shape((1, 2, 3), key_count=2).extends(including)
    assert not shape((1, 2)).extends(including)


def test_only_a_btree_serves_by_a_part_of_its_keys() -> None:
    definition = "CREATE INDEX task_idx ON public.task USING gin (a, b)"
    gin = {"method": "gin", "definition": definition}
    assert not shape((1, 2), **gin).extends(shape((1,), **gin))


def test_parameters_of_operator_classes_matter_where_there_are_such() -> None:
    def gist(name: str, rest: str) -> Shape:
        return shape(method="gist", name=name, definition=f'CREATE INDEX {name} ON public.task USING gist ("a" {rest})')

    assert gist("one", "gist_trgm_ops (siglen='32')") == gist("two", "gist_trgm_ops (siglen='32')")
    assert gist("one", "gist_trgm_ops (siglen='32')") != gist("two", "gist_trgm_ops")


@pytest.mark.parametrize(
    "unread",
    [
        {"is_partial": True, "predicate": None},
        {"columns": (0,), "has_expressions": True, "expressions": None},
        {"columns": (0, 0), "has_expressions": True, "expressions": "lower(a)"},
        {"method": "gist", "definition": None},
        {"columns": (1, 2), "collations": (0,)},
    ],
)
def test_there_is_no_shape_of_what_could_not_be_read(unread: dict[str, Any]) -> None:
    assert shape_of(an_index(**unread)) is None


def test_expressions_are_told_from_columns_and_from_one_another() -> None:
    both = shape((0, 2, 0), has_expressions=True, expressions="lower(a), (b + 1)")
    assert [key.expression for key in both.keys] == ["lower(a)", None, "(b + 1)"]
    assert both.extends(shape((0,), has_expressions=True, expressions="lower(a)"))
    assert not both.extends(shape((0,), has_expressions=True, expressions="(b + 1)"))


@pytest.mark.parametrize(
    ("expressions", "separate"),
    [
        ("lower(a)", ["lower(a)"]),
        ("lower(a), (b + 1)", ["lower(a)", "(b + 1)"]),
        ("COALESCE(a, 'x, y'), ARRAY[a, b]", ["COALESCE(a, 'x, y')", "ARRAY[a, b]"]),
        ("f('it''s, (')", ["f('it''s, (')"]),
        ('lower("odd "", name"), b', ['lower("odd "", name")', "b"]),
        ("'a\\\\', b", ["'a\\\\'", "b"]),
    ],
)
def test_expressions_are_split_at_commas_that_separate_them(expressions: str, separate: list[str]) -> None:
    assert list(split_expressions(expressions)) == separate


def test_the_server_s_own_expressions_are_split_as_it_joins_them(database: Database) -> None:
    database.execute(r"""
        CREATE TABLE odd (a text, b int, "x, (""y" text);
        CREATE INDEX odd_idx ON odd (lower(a), (b + 1), coalesce("x, (""y", E'a\\''b, ('), (ARRAY[a, 'x,y']),
            (CASE WHEN b IN (1, 2) THEN 1 ELSE 2 END));
    """)
    ((joined, count),) = database.execute(
        "SELECT pg_get_expr(indexprs, indrelid), indnatts FROM pg_index WHERE indexrelid = 'odd_idx'::regclass"
    )
    separate = [database.execute("SELECT pg_get_indexdef('odd_idx'::regclass, %s, false)", n + 1) for n in range(count)]
    assert [one.strip("()") for one in split_expressions(joined)] == [row[0][0].strip("()\n ") for row in separate]


@pytest.mark.parametrize("unfinished", [{"is_valid": False}, {"is_ready": False}, {"is_live": False}])
def test_an_index_is_usable_only_when_it_is_finished_and_stays(unfinished: dict[str, Any]) -> None:
    assert is_usable(an_index())
    assert not is_usable(an_index(**unfinished))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a_ccnew", True), ("a_ccold", True), ("a_ccnew12", True), ("a_ccnewer", False), ("a", False)],
)
def test_what_reindex_left_is_known_by_its_name(name: str, expected: bool) -> None:
    assert is_leftover(an_index(name=name, is_valid=False)) is expected
    assert not is_leftover(an_index(name=name))


@pytest.mark.parametrize(
    ("index", "serves"),
    [
        ({"columns": (1, 2)}, True),
        ({"columns": (2, 1, 3)}, True),
        ({"columns": (1, 3, 2)}, False),
        ({"columns": (1,)}, False),
        ({"columns": (1, 2), "key_count": 1}, False),
        ({"columns": (1, 2), "options": (3, 0)}, True),
        ({"columns": (1, 2), "method": "hash"}, False),
        ({"columns": (1, 2), "method": "gin"}, False),
        ({"columns": (1, 0), "has_expressions": True}, False),
        ({"columns": (1, 2), "is_partial": True, "predicate": "is_active"}, False),
        ({"columns": (1, 2), "is_partial": True, "predicate": "(a IS NOT NULL)"}, True),
        ({"columns": (1, 2), "is_partial": True, "predicate": '(("user" IS NOT NULL) AND (a IS NOT NULL))'}, True),
        ({"columns": (1, 2), "is_partial": True, "predicate": "((a IS NOT NULL) AND (c IS NOT NULL))"}, False),
        ({"columns": (1, 2), "is_partial": True, "predicate": "((a IS NOT NULL) OR (a IS NOT NULL))"}, False),
        ({"columns": (1, 2), "is_partial": True, "predicate": "(a IS NULL)"}, False),
        ({"columns": (1, 2), "is_partial": True, "predicate": None}, None),
        ({"columns": (3, 2), "is_partial": True, "predicate": None}, False),
    ],
)
def test_a_look_up_by_two_columns_wants_both_first(index: dict[str, Any], serves: bool | None) -> None:
    assert serves_look_up(an_index(**index), {1: "a", 2: "user"}) is serves


@pytest.mark.parametrize(("columns", "serves"), [((1,), True), ((2,), False)])
def test_a_hash_index_serves_one_column(columns: tuple[int, ...], serves: bool) -> None:
    assert serves_look_up(an_index(columns=columns, method="hash"), {1: "a"}) is serves


def test_a_name_that_looks_like_sql_is_only_a_name() -> None:
    columns = {1: "a IS NOT NULL) AND (b"}
    index = an_index(is_partial=True, predicate="((a IS NOT NULL) AND (b IS NOT NULL))")
    assert serves_look_up(index, columns) is False
