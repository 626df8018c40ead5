from __future__ import annotations

import pytest

from dbops.snapshot.key_columns import TableColumn, change_caution, declared, linked, referring, rewrite_caution
from dbops.snapshot.rows import RelationSize
from tests.builders import a_column, a_foreign_key, a_schema, a_table, an_index

A, B, C = (a_table(number, name) for number, name in enumerate("abc", 1))
IDS = tuple(a_column(table_oid=table.oid) for table in (A, B, C))
A_ID, B_ID, C_ID = (TableColumn(table, column) for table, column in zip((A, B, C), IDS, strict=True))


def test_columns_are_followed_through_foreign_keys_in_a_circle_once() -> None:
    circle = [
        a_foreign_key(oid, f"f{oid}", (1,), to=to, table_oid=of) for oid, of, to in ((1, 1, 2), (2, 2, 3), (3, 3, 1))
    ]
    schema = a_schema(A, B, C, *IDS, *circle)
    assert referring(schema, [A_ID]) == [C_ID, B_ID]
    assert set(linked(schema, A_ID)) == {A_ID, B_ID, C_ID}


def test_referring_goes_one_way_and_linked_both() -> None:
    schema = a_schema(A, B, C, *IDS, a_foreign_key(1, "f", (1,), to=1, table_oid=2), a_foreign_key(2, "g", (1,), to=3))
    assert referring(schema, [A_ID]) == [B_ID]
    assert set(linked(schema, B_ID)) == {A_ID, B_ID, C_ID}


def test_a_partitions_column_is_its_tables_by_name_whatever_its_number() -> None:
    root = a_table(1, "p", kind="p")
    partition = a_table(2, "p_1", is_partition=True, parent_oid=1)
    schema = a_schema(root, partition, a_column(7, "r"), a_column(3, "r", table_oid=2), a_column(4, "own", table_oid=2))
    found = declared(schema, 2, 3)
    assert found is not None
    assert (found.name, found.column.number) == ("public.p.r", 7)
    assert declared(schema, 2, 4) is None
    assert declared(schema, 9, 1) is None


@pytest.mark.parametrize(
    ("type_", "base_type", "is_domain"),
    [
        ("integer", "integer", False),
        ("character varying(20)", "character varying", False),
        ("numeric(10,2)", "numeric", False),
        ("timestamp(3) with time zone", "timestamp with time zone", False),
        ("public.email", "text", True),
    ],
)
def test_a_domain_is_told_from_a_type_with_a_length(type_: str, base_type: str, is_domain: bool) -> None:
    assert TableColumn(A, a_column(1, "x", type_, base_type=base_type)).is_domain is is_domain


def test_what_stands_in_a_change_s_way_is_named_once() -> None:
    free = TableColumn(A, a_column(1))
    seen = TableColumn(A, a_column(2, held_by=("view public.v",)))
    acted_on = TableColumn(B, a_column(1, held_by=("trigger t on table public.b", "view public.v")))
    schema = a_schema(A, B)
    assert change_caution(schema, [free]) == rewrite_caution(schema, [A])
    assert change_caution(schema, [free, seen]).startswith(
        "fails while view public.v is there: drop it first, create it again afterwards; rewrites public.a under"
    )
    assert change_caution(schema, [seen, acted_on]).startswith(
        "fails while view public.v and trigger t on table public.b are there: drop them first, create them again "
    )


def test_a_rewrite_counts_each_table_once_with_its_indexes() -> None:
    sizes = [RelationSize(oid=oid, size_bytes=1024**2) for oid in (1, 2, 100)]
    schema = a_schema(A, B, an_index(100), *sizes)
    assert rewrite_caution(schema, [B, A, B]).startswith("rewrites 3.0 MB of public.a and public.b under")
    small = a_schema(A, RelationSize(oid=1, size_bytes=8192))
    assert rewrite_caution(small, [A]).startswith("rewrites public.a under")
    unknown = a_schema(A, B, an_index(100), *sizes[:2])
    assert rewrite_caution(unknown, [A]).startswith("rewrites public.a under")
