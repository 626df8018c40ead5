from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.snapshot.index_shape import is_usable, serves_look_up, shape_of
from dbops.snapshot.superseded_indexes import incomparable, superseded
from tests.builders import a_constraint, a_foreign_key, a_schema, a_table, an_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.snapshot.rows import Index


def found(*indexes: Any, others: Sequence[Any] = ()) -> dict[str, tuple[str, str | None]]:
    """The kept index and the twin, by the name of each that could go."""
    numbered = [replace(index, oid=100 + number) for number, index in enumerate(indexes)]
    seen = superseded(a_schema(a_table(), *numbered, *others))
    return {one.index.name: (one.kept.name, one.twin.name if one.twin else None) for one in seen}


@st.composite
def families(draw: st.DrawFn) -> list[Index]:
    """Up to eight indexes of one table, much alike."""
    made = []
    for number in range(draw(st.integers(1, 8))):
        columns = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True))
        included = draw(st.lists(st.integers(1, 4), max_size=2, unique=True))
        is_unique = draw(st.booleans())
        made.append(
            an_index(
                oid=100 + number,
                name=f"i{number}",
                columns=(*columns, *included),
                key_count=len(columns),
                options=tuple(draw(st.sampled_from([0, 3])) for _ in columns),
                is_unique=is_unique,
                is_primary=is_unique and draw(st.booleans()),
                is_clustered=draw(st.booleans()),
                is_valid=draw(st.sampled_from([True, True, True, False])),
            )
        )
    return made


@given(families())
def test_all_may_go_together(indexes: list[Index]) -> None:
    schema = a_schema(a_table(), *indexes)
    listed = superseded(schema)
    gone = {one.index.oid for one in listed}
    left = [index for index in indexes if index.oid not in gone and is_usable(index)]
    assert len(gone) == len(listed)
    for one in listed:
        kept, its = shape_of(one.kept), shape_of(one.index)
        assert one.kept in left
        assert kept is not None
        assert its is not None
        assert kept.extends(its)
        assert not one.index.is_unique or any(index.is_unique and shape_of(index) == its for index in left)
        assert not one.index.is_primary
        assert not one.index.is_clustered
        assert one.twin is None or shape_of(one.twin) == its
        columns = dict.fromkeys(one.index.keys, "")
        assert any(serves_look_up(index, columns) for index in left)
    assert superseded(a_schema(a_table(), *left)) == ()


def test_of_three_that_are_the_same_the_first_by_name_stays() -> None:
    assert found(an_index(name="c"), an_index(name="a"), an_index(name="b")) == {"b": ("a", "a"), "c": ("a", "a")}


def test_of_a_twin_and_its_mirror_the_one_that_reads_forward_stays() -> None:
    assert found(an_index(name="a", options=(3,)), an_index(name="b")) == {"a": ("b", "b")}


@pytest.mark.parametrize(
    ("stays", "goes"),
    [
        ("task_user_id_0a1b2c3d", "a_hand_made_one"),
        ("task_name_0a1b2c3d_like", "a_hand_made_one"),
        ("task_user_id_0a1b2c3d", "task_user_0a1b2c_idx"),
        ("task_user_0a1b2c_idx", "a_hand_made_one"),
        ("a", "b_0a1b2c3g"),
        ("a", "b_key"),
        ("a", "b_0a1b2c3d_x"),
    ],
)
def test_what_django_named_stays_before_what_somebody_named(stays: str, goes: str) -> None:
    assert found(an_index(name=stays), an_index(name=goes)) == {goes: (stays, stays)}


def test_what_django_named_stays_though_it_reads_backward() -> None:
    own = an_index(name="task_created_0a1b2c_idx", options=(3,))
    assert found(own, an_index(name="a")) == {"a": ("task_created_0a1b2c_idx",) * 2}


def test_of_a_field_s_unique_constraint_and_a_hand_made_one_the_field_s_stays() -> None:
    unique = an_index(name="a_unique", is_unique=True, constraint_oid=1)
    together = replace(unique, name="task_code_0a1b2c3d_uniq")
    assert found(together, replace(unique, name="task_code_key")) == {together.name: ("task_code_key",) * 2}
    assert found(unique, replace(unique, name="task_code_key")) == {"a_unique": ("task_code_key",) * 2}
    assert found(unique, replace(unique, name="task_a_b_0a1b2c3d_uniq")) == {
        "a_unique": ("task_a_b_0a1b2c3d_uniq",) * 2
    }


def test_what_has_to_stay_does_before_what_django_named() -> None:
    hand_made = an_index(name="a", is_clustered=True)
    assert found(hand_made, an_index(name="task_user_id_0a1b2c3d")) == {"task_user_id_0a1b2c3d": ("a", "a")}


def test_an_index_in_a_longer_one_that_is_in_a_longer_one_names_the_longest() -> None:
    family = (an_index(name="a"), an_index(name="ab", columns=(1, 2)), an_index(name="abc", columns=(1, 2, 3)))
    assert found(*family) == {"a": ("abc", None), "ab": ("abc", None)}


def test_of_several_that_contain_it_the_shortest_that_stays_is_named() -> None:
    longer = an_index(name="abc", columns=(1, 2, 3))
    assert found(an_index(name="a"), longer, an_index(name="ac", columns=(1, 3)))["a"] == ("ac", None)


def test_a_twin_in_a_longer_one_names_both() -> None:
    family = (an_index(name="a1"), an_index(name="a2"), an_index(name="ab", columns=(1, 2)))
    assert found(*family) == {"a1": ("ab", None), "a2": ("ab", "a1")}


def test_a_plain_index_on_a_unique_one_s_keys_is_no_twin() -> None:
    assert found(an_index(name="a"), an_index(name="u", is_unique=True)) == {"a": ("u", None)}


def test_unique_indexes_that_enforce_something_else_both_stay() -> None:
    unique = an_index(name="u", is_unique=True)
    assert found(unique, replace(unique, name="nulls", nulls_not_distinct=True)) == {}
    assert found(unique, replace(unique, name="later", is_immediate=False)) == {}
    assert found(unique, an_index(name="ab", columns=(1, 2), is_unique=True)) == {}


def test_a_constraint_checked_at_once_is_none_that_is_checked_at_commit() -> None:
    one = an_index(name="a", is_unique=True, is_immediate=False, constraint_oid=1000)
    other = replace(one, name="b", constraint_oid=1001)
    deferrable, deferred = a_constraint(1000, "a", "u"), a_constraint(1001, "b", "u", is_deferred=True)
    assert found(one, other, others=[deferrable, deferred]) == {}
    assert found(one, other, others=[deferrable, replace(deferred, is_deferred=False)]) == {"b": ("a", "a")}


def test_a_constraint_s_index_stays_and_one_that_a_foreign_key_needs_before_it() -> None:
    plain, constraint = an_index(name="a", is_unique=True), an_index(name="b", is_unique=True, constraint_oid=1)
    assert found(plain, constraint) == {"a": ("b", "b")}
    key = a_foreign_key(index_oid=100)
    assert found(plain, constraint, others=[key]) == {"b": ("a", "a")}


def test_two_that_both_must_stay_are_left_alone() -> None:
    primary = an_index(name="p", is_unique=True, is_primary=True)
    assert found(primary, an_index(name="u", is_unique=True, is_replica_identity=True)) == {}
    assert found(primary, an_index(name="u", is_unique=True), others=[a_foreign_key(index_oid=101)]) == {}


@pytest.mark.parametrize("unfinished", [{"is_valid": False}, {"is_ready": False}, {"is_live": False}])
def test_an_index_that_cannot_be_used_neither_goes_nor_is_kept(unfinished: dict[str, Any]) -> None:
    assert found(an_index(name="a"), an_index(name="b", **unfinished)) == {}


def test_a_plain_index_on_the_keys_of_an_exclusion_constraint_goes() -> None:
    def gist(name: str, **values: Any) -> Index:
        return an_index(
            name=name, method="gist", definition=f"CREATE INDEX {name} ON public.task USING gist (a)", **values
        )

    assert found(gist("plain"), gist("excl", is_exclusion=True, constraint_oid=1)) == {"plain": ("excl", None)}
    assert found(gist("e1", is_exclusion=True), gist("e2", is_exclusion=True)) == {}


def test_what_a_partition_s_part_is_needed_for_keeps_the_whole() -> None:
    whole, part = an_index(name="a", kind="I"), an_index(name="p_a", table_oid=2, parent_oid=100, is_clustered=True)
    others = [a_table(2, "p", is_partition=True, parent_oid=1)]
    assert found(whole, an_index(name="b", columns=(1, 2), kind="I"), part, others=others) == {}


def test_the_parts_of_a_whole_that_goes_serve_nobody() -> None:
    """The partition's own index has two twins, of which one goes with its whole: the other one is named."""
    family = (
        an_index(name="a", kind="I", is_clustered=True),
        an_index(name="b", kind="I"),
        an_index(name="p_b", table_oid=2, parent_oid=101),
        an_index(name="p_c", table_oid=2, parent_oid=100),
        an_index(name="p_own", table_oid=2),
    )
    others = [replace(a_table(kind="p"), oid=1), a_table(2, "p", is_partition=True, parent_oid=1)]
    assert found(*family, others=others) == {"b": ("a", "a"), "p_own": ("p_c", "p_c")}


def test_an_extension_s_tables_are_left_alone() -> None:
    schema = a_schema(a_table(extension="postgis"), an_index(100, "a"), an_index(101, "b"))
    assert superseded(schema) == ()


def test_what_could_not_be_read_is_incomparable_when_there_is_something_to_compare_it_with() -> None:
    unread = an_index(100, "u", is_partial=True, predicate=None)
    assert incomparable(a_schema(a_table(), unread)) == []
    assert incomparable(a_schema(a_table(), unread, an_index(101, "a"))) == [unread]
    assert incomparable(a_schema(a_table(), unread, an_index(101, "a", method="hash"))) == []
