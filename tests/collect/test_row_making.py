"""Rows are made as their constructors make them."""

from __future__ import annotations

import pytest

from dbops.collect.row_making import as_tuple, row_maker
from dbops.snapshot.rows import RelationSize, Sequence
from tests.builders import a_sequence


def test_a_row_is_what_the_constructor_makes_whatever_the_order() -> None:
    made = row_maker(RelationSize, ["size_bytes", "oid"])((8_192, 7))
    assert made == RelationSize(oid=7, size_bytes=8_192)
    assert hash(made) == hash(RelationSize(oid=7, size_bytes=8_192))


def test_lists_are_tuples_however_deep() -> None:
    values = {name: getattr(a_sequence(7, "s"), name) for name in Sequence.__slots__}
    made = row_maker(Sequence, list(values))({**values, "used_by": [[1, 2], [3, 4]]}.values())
    assert made.used_by == ((1, 2), (3, 4))
    assert as_tuple([]) == ()
    assert as_tuple("text") == "text"


@pytest.mark.parametrize("names", [["oid"], ["oid", "size_bytes", "more"], ["oid", "bytes"]])
def test_a_statement_whose_columns_are_not_the_row_s_is_a_defect(names: list[str]) -> None:
    with pytest.raises(TypeError, match="RelationSize has oid, size_bytes, and not "):
        row_maker(RelationSize, names)


def test_an_answer_of_another_width_is_a_defect() -> None:
    with pytest.raises(ValueError, match="zip"):
        row_maker(RelationSize, ["oid", "size_bytes"])((7,))
