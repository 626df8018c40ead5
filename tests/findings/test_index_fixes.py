from __future__ import annotations

from dataclasses import replace

import pytest

from dbops.findings.index_fixes import complete, drop_index, partitions_for
from dbops.snapshot.index_names import IndexNames
from tests.builders import a_column, a_constraint, a_schema, a_table, an_index

WHOLE = an_index(
    kind="I", is_valid=False, definition="CREATE INDEX task_idx ON ONLY public.task USING btree (id) WHERE (id > 0)"
)
PARTITION = a_table(2, "part", is_partition=True, parent_oid=1)
TABLES = (a_table(kind="p"), a_column(), PARTITION)


def test_an_index_is_dropped_as_what_it_is() -> None:
    schema = a_schema(a_table(), a_constraint(type_="u", name="uniq", definition="UNIQUE (id)"))
    index = drop_index(schema, an_index())
    assert index is not None
    assert index.sql == ("DROP INDEX CONCURRENTLY public.task_idx;",)
    assert index.undo == ("CREATE INDEX CONCURRENTLY task_idx ON public.task USING btree (id);",)
    constraint = drop_index(schema, an_index(constraint_oid=1000))
    assert constraint is not None
    assert constraint.sql == ("ALTER TABLE public.task DROP CONSTRAINT uniq;",)
    assert constraint.undo == ("ALTER TABLE public.task ADD CONSTRAINT uniq UNIQUE (id);",)


def test_what_cannot_be_brought_back_is_not_dropped() -> None:
    locked = a_constraint(type_="u", definition=None)
    assert drop_index(a_schema(a_table()), an_index(definition=None)) is None
    assert drop_index(a_schema(a_table(), locked), an_index(constraint_oid=1000)) is None
    assert drop_index(a_schema(), an_index()) is None


def test_a_partition_without_a_part_gets_one_like_the_whole() -> None:
    schema = a_schema(*TABLES, WHOLE)
    fix = complete(schema, WHOLE, IndexNames(schema))
    assert fix is not None
    assert fix.sql == (
        "CREATE INDEX CONCURRENTLY part_id_idx ON public.part USING btree (id) WHERE (id > 0);",
        "ALTER INDEX public.task_idx ATTACH PARTITION public.part_id_idx;",
    )
    assert not fix.in_transaction
    assert fix.undo == ()


@pytest.mark.parametrize(
    "index",
    [
        replace(WHOLE, definition=None),
        replace(WHOLE, is_exclusion=True),
        replace(WHOLE, table_oid=99),
        replace(WHOLE, definition="CREATE INDEX another ON ONLY public.task USING btree (id)"),
    ],
)
def test_a_whole_of_which_too_little_is_known_is_not_completed(index: object) -> None:
    schema = a_schema(*TABLES)
    assert complete(schema, index, IndexNames(schema)) is None  # type: ignore[arg-type]


def test_a_partition_s_own_index_becomes_the_part_only_when_it_is_the_same_and_usable() -> None:
    same = an_index(200, "own", table_oid=2, definition="CREATE INDEX own ON public.part USING btree (id)")
    unlike = [
        replace(same, is_valid=False),
        replace(same, parent_oid=50),
        replace(same, definition="CREATE INDEX own ON public.part USING btree (id) WHERE (id > 0)"),
    ]
    (found,) = partitions_for(a_schema(*TABLES, same), TABLES[0], ["id"], IndexNames(a_schema()))
    assert (found.index_name, found.existing) == ("own", same.definition)
    for other in unlike:
        (found,) = partitions_for(a_schema(*TABLES, other), TABLES[0], ["id"], IndexNames(a_schema()))
        assert (found.index_name, found.existing) == ("part_id_idx", None)
