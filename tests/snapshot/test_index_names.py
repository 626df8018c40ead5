from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dbops.snapshot.index_names import MAX_INDEX_NAME_BYTES, IndexNames
from dbops.snapshot.names import quote_ident
from tests.builders import a_schema, a_table, an_index


def name(table: str, *columns: str, taken: tuple[str, ...] = ()) -> str:
    indexes = [an_index(100 + number, one) for number, one in enumerate(taken)]
    return IndexNames(a_schema(a_table(name=table), *indexes)).name(a_table(name=table), columns)


def test_a_short_name_says_table_and_columns() -> None:
    assert name("task", "user_id") == "task_user_id_idx"


def test_a_long_name_is_shortened_and_told_from_others_by_a_hash() -> None:
    one, other = name("orders_orderline", "warehouse_id"), name("orders_orderline", "warehouse_no")
    assert one.startswith("orders_orde_warehou_")
    assert one.endswith("_idx")
    assert one != other


@given(st.text(min_size=1, max_size=63), st.lists(st.text(min_size=1, max_size=63), min_size=1, max_size=3))
def test_every_name_is_one_that_both_the_server_and_django_take(table: str, columns: list[str]) -> None:
    given_name = name(table, *columns)
    assert len(given_name.encode()) <= MAX_INDEX_NAME_BYTES
    assert not given_name[0].isdigit()
    assert not given_name.startswith("_")
    assert '"' not in given_name
    assert name(table, *columns) == given_name


def test_odd_names_give_plain_ones() -> None:
    assert name("Mixed Case", 'the "user"') == "mixed_case_the_user_idx"
    assert name("2024_log", "id") == "log_id_idx"
    assert name("___", "id") == "t_id_idx"
    assert quote_ident(name("user", "order")) == "user_order_idx"


def test_a_taken_name_is_avoided_always_in_the_same_way() -> None:
    second = name("task", "user_id", taken=("task_user_id_idx",))
    assert second != "task_user_id_idx"
    assert second == name("task", "user_id", taken=("task_user_id_idx",))
    assert name("task", "user_id", taken=("task_user_id_idx", second)) not in {"task_user_id_idx", second}


def test_one_set_of_names_gives_none_twice_for_different_columns() -> None:
    table = a_table()
    names = IndexNames(a_schema(table))
    assert names.name(table, ["a_b"]) == "task_a_b_idx"
    assert names.name(table, ["a", "b"]) != "task_a_b_idx"
    assert names.name(table, ["a_b"]) == "task_a_b_idx"
