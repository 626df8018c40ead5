from __future__ import annotations

import pytest

from dbops.snapshot.update_targets import UpdateTarget, update_target


@pytest.mark.parametrize(
    ("text", "schema", "table", "columns"),
    [
        ('UPDATE "task" SET "at" = $1 WHERE "task"."id" = $2', None, "task", {"at"}),
        (
            'update only Shop.Task as t set A = $1, (b, "C d") = (SELECT 1, 2), e[1] = $3',
            "shop",
            "task",
            {"a", "b", "C d", "e"},
        ),
        ('UPDATE "s"."t""x" SET a = f(b, c), d = b IS DISTINCT FROM c, e = 1 FROM u', "s", 't"x', {"a", "d", "e"}),
        ("/* set x = */ UPDATE t SET a = CASE WHEN b THEN 1 END RETURNING c, d", None, "t", {"a"}),
    ],
)
def test_what_is_updated(text: str, schema: str | None, table: str, columns: set[str]) -> None:
    assert update_target(text) == UpdateTarget(schema, table, frozenset(columns))


@pytest.mark.parametrize(
    "text",
    ["", "SELECT 1", "WITH x AS (SELECT 1) UPDATE t SET a = 1", "UPDATE t", "UPDATE t SET", "UPDATE t SET $1 = 2"],
)
def test_what_is_not_understood(text: str) -> None:
    assert update_target(text) is None
