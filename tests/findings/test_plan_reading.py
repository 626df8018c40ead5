"""What plans of real servers say: `plans/` has them as PostgreSQL 15 and 18 made them, of test_explain's tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbops.findings.plan_nodes import PlanNode, cost_shares, read_plan
from dbops.findings.plan_reading import Measured, PlannedIndex, PlannedRelation, Remark, Surroundings, remarks_on

PLANS = Path(__file__).parent / "plans"
BOTH = pytest.mark.parametrize("major", [15, 18])


def index(name: str, leading: str | None) -> PlannedIndex:
    return PlannedIndex(name=name, leading=leading, is_partial=False)


RELATIONS = {
    "public.task": PlannedRelation(
        rows=60_000,
        size_bytes=10_000_000,
        is_partition=False,
        indexes=(index("task_made_at", "made_at"), index("task_pkey", "id")),
    ),
    "public.person": PlannedRelation(
        rows=1_000, size_bytes=60_000, is_partition=False, indexes=(index("person_pkey", "id"),)
    ),
}


def plan(name: str, major: int) -> PlanNode:
    return read_plan(json.loads((PLANS / f"{name}.pg{major}.json").read_text()))


def remarks(name: str, major: int, **around: Any) -> dict[str, Remark]:
    given = {"relations": RELATIONS, "work_mem_bytes": 4 * 1024**2, "hash_mem_bytes": 8 * 1024**2, **around}
    return {one.kind: one for one in remarks_on(plan(name, major), Surroundings(**given))}


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda path: path.stem)
def test_the_shares_of_all_nodes_make_the_whole(path: Path) -> None:
    root = read_plan(json.loads(path.read_text()))
    shares = cost_shares(root)
    assert [node.number for node in root.walk()] == sorted(shares)
    assert sum(share.own for share in shares.values()) == pytest.approx(1)
    assert shares[root.number].whole == 1


@BOTH
def test_a_scan_of_all_rows(major: int) -> None:
    found = remarks("scan", major)["sequential_scan"]
    assert (found.node, found.evidence["columns"]) == ("Seq Scan on public.task", "person_id, state")
    assert "no index begins with such a column" in found.message
    led = PlannedRelation(
        rows=60_000, size_bytes=10**7, is_partition=True, indexes=(index("task_person", "person_id"),)
    )
    message = remarks("scan", major, relations={"public.task": led})["sequential_scan"].message
    assert "task_person begins with such a column, and the planner takes none" in message
    assert "it is a partition" in message
    # state stands in a function alone, so that an index on it would not serve.
    other = PlannedRelation(rows=60_000, size_bytes=10**7, is_partition=False, indexes=(index("by_state", "state"),))
    assert "by_state" not in remarks("scan", major, relations={"public.task": other})["sequential_scan"].message
    small = PlannedRelation(rows=5_000, size_bytes=10**6, is_partition=False)
    assert set(remarks("scan", major, relations={"public.task": small})) == {"dominant_node"}
    assert set(remarks("scan", major, relations={})) == {"dominant_node"}


@BOTH
def test_an_index_walked_for_its_order(major: int) -> None:
    found = remarks("ordered", major)["ordered_index_scan"]
    assert found.node == "Index Scan Backward using task_made_at on public.task t"
    assert (found.evidence["limit_rows"], found.evidence["read_rows"]) == (10, 12_500)
    assert "An index on the columns of the filter, then made_at, gives both" in found.message
    partial = PlannedIndex(name="task_made_at", leading="made_at", is_partial=True)
    relation = PlannedRelation(rows=60_000, size_bytes=10**7, is_partition=False, indexes=(partial,))
    assert "ordered_index_scan" not in remarks("ordered", major, relations={"public.task": relation})


@BOTH
def test_sorts_on_disk_and_in_memory(major: int) -> None:
    found = remarks("sort", major)["disk_sort"]
    assert found.evidence["rows"] == 60_000
    assert "disk_sort" not in remarks("sort", major, work_mem_bytes=64 * 1024**2)
    assert "disk_sort" not in remarks("sort", major, work_mem_bytes=None)
    assert "disk_sort" not in remarks("top_sort", major)


@BOTH
def test_what_executions_wrote_although_nobody_expected_it(major: int) -> None:
    wrote = Measured(calls=50, rows_per_call=60_000, temp_bytes_per_call=10**7)
    roomy = remarks("sort", major, work_mem_bytes=64 * 1024**2, measured=wrote)
    assert roomy["measured_spill"].node == "Sort"
    assert "measured_spill" not in remarks("sort", major, measured=wrote)
    # Two sorts: nobody knows which of them it was.
    assert "measured_spill" not in remarks("hash", major, work_mem_bytes=64 * 1024**2, measured=wrote)


@BOTH
def test_loops(major: int) -> None:
    assert remarks("nested", major)["large_inner_side"].evidence["pairs"] == 1_000_000
    assert "large_inner_side" not in remarks("ordered", major)
    found = remarks("subplan", major)
    assert found["repeated_subplan"].evidence["times"] == 1_000
    # The scan below the subquery's LIMIT makes the cost, not the node above that carries it out again and again.
    assert found["dominant_node"].node == "Index Scan Backward using task_pkey on public.task t"


@BOTH
def test_estimates_held_against_executions(major: int) -> None:
    def wrong(name: str, calls: int, rows_per_call: float) -> set[str]:
        found = remarks(name, major, measured=Measured(calls=calls, rows_per_call=rows_per_call))
        return set(found) & {"misestimated_rows", "unfilled_limit"}

    assert wrong("sort", 20, 100.0) == {"misestimated_rows"}
    assert wrong("sort", 19, 100.0) == set()
    assert wrong("sort", 20, 50_000.0) == set()
    assert wrong("update", 20, 1.0) == {"misestimated_rows"}
    assert wrong("exists", 20, 0.1) == {"unfilled_limit"}
    assert wrong("exists", 20, 1.0) == set()


def test_partitions_that_are_left_out_without_values() -> None:
    assert remarks("parted", 15)["unseen_partitions"].evidence["parts"] == 2
    assert "unseen_partitions" not in remarks("parted", 18)


@BOTH
def test_a_table_that_nobody_analyzed(major: int) -> None:
    unknown = PlannedRelation(rows=None, size_bytes=10**7, is_partition=False)
    found = remarks("scan", major, relations={"public.task": unknown})
    assert "Run ANALYZE public.task" in found["unanalyzed_table"].message
