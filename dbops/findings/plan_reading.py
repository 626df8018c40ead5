"""What a plan says to a person: what makes its cost, and what is wrong with it as far as the plan itself proves it.

Everything here is the planner's estimate; nothing was carried out. Sizes in memory are computed as the planner does:
`relation_byte_size()` in costsize.c for sorts, `ExecChooseHashTableSize()` in nodeHash.c for hash tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dbops.findings.plan_nodes import REMEMBERS, PlanNode, cost_shares, is_hashed
from dbops.snapshot.amounts import format_bytes, format_count, listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from dbops.findings.plan_nodes import CostShare

#: So many rows a table has at least for a scan of all of it to be worth a word.
MANY_ROWS: Final = 10_000
#: Of the rows of a table so few are wanted that another way to them is faster.
FEW_RATIO: Final = 0.05
#: An estimate so many times too large or too small lets the planner choose the wrong way.
TIMES_WRONG: Final = 10
#: Where fewer rows are wrong, the plan stays the same.
ROWS_WRONG: Final = 100
#: A mean of fewer executions says little.
MANY_CALLS: Final = 20
#: On average so few rows mean that at least half of the executions gave none.
MOSTLY_NOTHING: Final = 0.5
#: Less in temporary files is nothing.
SPILLED_BYTES: Final = 64 * 1024
#: What can write temporary files.
_SPILLS: Final = frozenset(
    {
        "Sort",
        "Incremental Sort",
        "Hash",
        "Materialize",
        "CTE Scan",
        "WindowAgg",
        "Aggregate",
        "SetOp",
        "Function Scan",
        "Recursive Union",
        "Merge Join",
    }
)
#: So many pairs of rows take a tenth of a second.
MANY_PAIRS: Final = 1_000_000
#: A subquery that is carried out so often is felt.
MANY_TIMES: Final = 1_000
#: What an entry of a sort and of a hash table has beside the row: headers, each rounded up to eight bytes.
_SORT_HEADER: Final = 24
_HASH_HEADER: Final = 16 + 16
#: Nodes through which a LIMIT tells a sort below how many rows are enough (ExecSetTupleBound).
_PASSES_BOUND: Final = frozenset({"Gather", "Gather Merge", "Merge Append", "Result", "Subquery Scan", "Append"})
#: Nodes through which a LIMIT ends what is below early.
_ENDS_EARLY: Final = frozenset({"Gather", "Gather Merge", "LockRows", "Result", "Subquery Scan"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedIndex:
    """An index that can be used; `leading` is its first column, None for an expression."""

    name: str
    leading: str | None
    is_partial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRelation:
    """A table in a plan; `rows` and `size_bytes` as of the last VACUUM or ANALYZE, rows None before the first."""

    rows: int | None
    size_bytes: int
    is_partition: bool
    indexes: tuple[PlannedIndex, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What executions of the statement really did: how many there were, and what each gave and wrote on average."""

    calls: int
    rows_per_call: float
    temp_bytes_per_call: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What has to be known beside a plan to judge it.

    `relations` are by qualified name. `measured` is None where nobody counted. Bytes are what one sort, and one hash
    table, may take in memory.
    """

    relations: Mapping[str, PlannedRelation] = field(default_factory=dict)
    work_mem_bytes: int | None = None
    hash_mem_bytes: int | None = None
    measured: Measured | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What the plan proves: about which node (its number and label), why it matters, and the numbers."""

    kind: str
    number: int
    node: str
    message: str
    evidence: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A plan with what it says; `how` is by which statement it was made, `notes` what limits it."""

    query_id: int
    root: PlanNode
    shares: Mapping[int, CostShare]
    remarks: tuple[Remark, ...]
    how: str
    role: str
    notes: tuple[str, ...] = ()


def remarks_on(root: PlanNode, around: Surroundings) -> tuple[Remark, ...]:
    """Return what there is to say of a plan: what dominates it, then what the plan proves to be costly."""
    found = [_dominant(root), *_misestimated(root, around)]
    for node, above in _with_ancestors(root, ()):
        found += [
            *_unanalyzed(node, around),
            *_disk_sort(node, above, around),
            *_disk_hash(node, around),
            *_scanned(node, around),
            *_ordered(node, around),
            *_large_inner(node, around),
            *_repeated(node, around),
            *_pruned(node),
        ]
    on_disk = {one.number for one in found if one.kind in {"disk_sort", "disk_hash"}}
    return (*found, *_spilled(root, around, on_disk))


def _dominant(root: PlanNode) -> Remark:
    shares = cost_shares(root)
    node = max(root.walk(), key=lambda one: (shares[one.number].own, -one.number))
    share = shares[node.number].own
    rows = format_count(node.rows)
    return _remark(
        "dominant_node",
        node,
        f"makes {share:.0%} of the estimated cost and gives {rows} {'row' if node.rows == 1 else 'rows'}",
        own_cost_ratio=round(share, 4),
        rows=node.rows,
    )


def _misestimated(root: PlanNode, around: Surroundings) -> Iterator[Remark]:
    """Compare what the planner expects at the top with what executions gave; a LIMIT that fills hides it."""
    node = root.children[0] if root.kind == "ModifyTable" and root.children else root
    measured = around.measured
    if measured is None or measured.calls < MANY_CALLS:
        return
    given = measured.rows_per_call
    if node.kind == "Limit":
        yield from _unfilled(node, measured)
        return
    expected = node.rows
    times = max(expected, 1) / max(given, 1)
    if max(expected, given) < ROWS_WRONG or 1 / TIMES_WRONG < times < TIMES_WRONG:
        return
    way = f"{times:,.0f} times too many" if times > 1 else f"{1 / times:,.0f} times too few"
    yield _remark(
        "misestimated_rows",
        node,
        f"the planner expects {format_count(expected)} rows; {format_count(measured.calls)} executions gave "
        f"{given:,.1f} on average: {way}. ANALYZE, and CREATE STATISTICS where columns depend on each other, may mend "
        "it",
        expected_rows=expected,
        rows_per_call=round(given, 2),
        calls=measured.calls,
    )


def _unfilled(limit: PlanNode, measured: Measured) -> Iterator[Remark]:
    """A LIMIT that mostly gets nothing: whatever its number is, what is below is carried out to its end."""
    below = limit.children[0] if limit.children else None
    if below is None or below.rows < ROWS_WRONG or measured.rows_per_call >= MOSTLY_NOTHING:
        return
    yield _remark(
        "unfilled_limit",
        below,
        f"the planner expects {format_count(below.rows)} rows and to end early at the LIMIT; "
        f"{format_count(measured.calls)} executions gave {measured.rows_per_call:,.2f} on average, so that most find "
        "nothing and read to the end",
        expected_rows=below.rows,
        rows_per_call=round(measured.rows_per_call, 2),
        calls=measured.calls,
    )


def _spilled(root: PlanNode, around: Surroundings, known: Collection[int]) -> Iterator[Remark]:
    """What executions wrote to temporary files though the planner expects it in memory, where one node can have."""
    may_spill = [node for node in root.walk() if node.kind in _SPILLS or node.planned_partitions]
    measured = around.measured
    if measured is None or measured.temp_bytes_per_call < SPILLED_BYTES or len(may_spill) != 1:
        return
    [node] = may_spill
    if node.number not in known:
        yield _remark(
            "measured_spill",
            node,
            f"executions wrote {format_bytes(measured.temp_bytes_per_call)} of temporary files on average, and nothing "
            f"else in the plan can: it does not fit into work_mem, whatever the planner expects",
            temp_bytes_per_call=round(measured.temp_bytes_per_call),
        )


def _unanalyzed(node: PlanNode, around: Surroundings) -> Iterator[Remark]:
    relation = around.relations.get(node.relation or "")
    if relation is not None and relation.rows is None and node.kind != "ModifyTable":
        yield _remark(
            "unanalyzed_table",
            node,
            f"{node.relation} was never analyzed: every number on it is a guess. Run ANALYZE {node.relation}",
        )


def _disk_sort(node: PlanNode, above: tuple[PlanNode, ...], around: Surroundings) -> Iterator[Remark]:
    if node.kind != "Sort" or around.work_mem_bytes is None:
        return
    rows = min(node.rows, _bound(above) or node.rows)
    size = rows * (_aligned(node.width) + _SORT_HEADER)
    if size <= around.work_mem_bytes:
        return
    yield _remark(
        "disk_sort",
        node,
        f"sorts {format_count(rows)} rows of {node.width} bytes, {format_bytes(size)} in memory, where work_mem is "
        f"{format_bytes(around.work_mem_bytes)}: it goes to disk",
        rows=rows,
        width_bytes=node.width,
        size_bytes=size,
        work_mem_bytes=around.work_mem_bytes,
    )


def _bound(above: tuple[PlanNode, ...]) -> int | None:
    """Return how many rows a LIMIT over a sort lets it keep, None where nothing limits it."""
    for node in reversed(above):
        if node.kind == "Limit":
            return node.rows
        if node.kind not in _PASSES_BOUND:
            break
    return None


def _disk_hash(node: PlanNode, around: Surroundings) -> Iterator[Remark]:
    if node.kind == "Aggregate" and node.planned_partitions:
        yield _remark(
            "disk_hash",
            node,
            f"expects more groups than memory holds, and plans {node.planned_partitions} parts on disk",
            planned_partitions=node.planned_partitions,
        )
    if node.kind != "Hash" or node.is_parallel_aware or around.hash_mem_bytes is None:
        return
    size = node.rows * (_aligned(node.width) + _HASH_HEADER)
    if size > around.hash_mem_bytes:
        yield _remark(
            "disk_hash",
            node,
            f"builds a table of {format_count(node.rows)} rows, {format_bytes(size)}, where work_mem × "
            f"hash_mem_multiplier is {format_bytes(around.hash_mem_bytes)}: it is done in parts, by way of the disk",
            rows=node.rows,
            size_bytes=size,
            hash_mem_bytes=around.hash_mem_bytes,
        )


def _scanned(node: PlanNode, around: Surroundings) -> Iterator[Remark]:
    relation = around.relations.get(node.relation or "")
    if node.kind != "Seq Scan" or "Filter" not in node.conditions or relation is None or relation.rows is None:
        return
    if relation.rows < MANY_ROWS or node.rows > relation.rows * FEW_RATIO:
        return
    columns, bare = node.columns_of("Filter"), node.columns_of("Filter", bare=True)
    led = [index.name for index in relation.indexes if index.leading in bare]
    if not columns:
        remedy = "no column of it is compared"
    elif not bare:
        remedy = "it compares an expression alone, for which only an index on that very expression serves"
    elif led:
        remedy = (
            f"{listed(led)} {'begins' if len(led) == 1 else 'begin'} with such a column, and the planner takes none"
        )
    elif any(index.leading is None for index in relation.indexes):
        remedy = "no index begins with such a column, though there are indexes on expressions"
    else:
        remedy = "no index begins with such a column"
    partition = "; it is a partition, which the values may leave out" if relation.is_partition else ""
    yield _remark(
        "sequential_scan",
        node,
        f"reads all {format_count(relation.rows)} rows ({format_bytes(relation.size_bytes)}) to keep about "
        f"{format_count(node.rows)}; filter {node.shown_condition('Filter')}; {remedy}{partition}",
        rows=node.rows,
        table_rows=relation.rows,
        size_bytes=relation.size_bytes,
        columns=", ".join(columns),
    )


def _ordered(node: PlanNode, around: Surroundings) -> Iterator[Remark]:
    """A LIMIT over an index that is walked for its order alone, past rows that the filter throws away."""
    if node.kind != "Limit":
        return
    scan = node.children[0] if node.children else None
    while scan is not None and (scan.kind in _ENDS_EARLY or scan.kind == "Nested Loop"):
        scan = scan.child("Outer") or scan.child("Subquery")
    if scan is None or scan.kind != "Index Scan" or scan.looks_up or "Filter" not in scan.conditions:
        return
    relation = around.relations.get(scan.relation or "")
    if relation is None or relation.rows is None or relation.rows < MANY_ROWS:
        return
    if scan.rows > relation.rows * FEW_RATIO:
        return
    own = next((index for index in relation.indexes if index.name == scan.index), None)
    if own is None or own.is_partial:
        return
    columns = scan.columns_of("Filter", bare=True)
    led = [index.name for index in relation.indexes if index.leading in columns and not index.is_partial]
    read = min(round(node.rows * relation.rows / max(scan.rows, 1)), relation.rows)
    other = f"; {listed(led)} would find them by {listed(list(columns))}, and a sort would follow" if led else ""
    order = own.leading or "its expression"
    yield _remark(
        "ordered_index_scan",
        scan,
        f"walks the index by {order} and throws away what does not match {scan.shown_condition('Filter')}: about "
        f"{format_count(read)} rows read for {format_count(node.rows)}, if the {format_count(scan.rows)} that match "
        f"are spread evenly, and up to {format_count(relation.rows)} if they are not{other}. An index on the columns "
        f"of the filter, then {order}, gives both",
        rows=scan.rows,
        limit_rows=node.rows,
        read_rows=read,
        table_rows=relation.rows,
        columns=", ".join(columns),
    )


def _large_inner(node: PlanNode, around: Surroundings) -> Iterator[Remark]:
    outer, inner = node.child("Outer"), node.child("Inner")
    if node.kind != "Nested Loop" or outer is None or inner is None:
        return
    if inner.kind == "Memoize" or any(one.looks_up for one in inner.walk()):
        return
    relation = around.relations.get(inner.relation or "")
    rows = inner.rows
    if inner.kind == "Seq Scan" and relation is not None and relation.rows is not None:
        rows = max(rows, relation.rows)
    pairs = max(outer.rows, 1) * max(rows, 1)
    if pairs < MANY_PAIRS:
        return
    up_to = "up to " if node.inner_unique or node.join_type in {"Semi", "Anti"} else ""
    what = "compares" if inner.kind in REMEMBERS or inner.kind != "Seq Scan" else "reads and compares"
    yield _remark(
        "large_inner_side",
        node,
        f"for each of {format_count(outer.rows)} outer rows it {what} {up_to}{format_count(rows)} rows of "
        f"{inner.label}, {format_count(pairs)} in all: nothing finds the matching ones by a key",
        outer_rows=outer.rows,
        inner_rows=rows,
        pairs=pairs,
    )


def _repeated(node: PlanNode, around: Surroundings) -> Iterator[Remark]:
    for child in node.children:
        if child.role != "SubPlan" or is_hashed(node, child):
            continue
        relation = around.relations.get(node.relation or "")
        is_filter = f"{child.subplan}" in node.conditions.get("Filter", "")
        times = relation.rows if is_filter and relation and relation.rows and node.kind == "Seq Scan" else node.rows
        if times >= MANY_TIMES:
            yield _remark(
                "repeated_subplan",
                child,
                f"{child.subplan} is carried out {'up to ' if is_filter else ''}{format_count(times)} times, once for "
                f"each row of {node.label}, at a cost of {child.total_cost:,.2f} each",
                times=times,
                cost=child.total_cost,
            )


def _pruned(node: PlanNode) -> Iterator[Remark]:
    if node.subplans_removed:
        yield _remark(
            "unseen_partitions",
            node,
            f"{format_count(node.subplans_removed)} of its parts are left out here, since no parameter has a value: "
            "with values there is more to do than the plan shows",
            parts=node.subplans_removed,
        )


def _with_ancestors(node: PlanNode, above: tuple[PlanNode, ...]) -> Iterator[tuple[PlanNode, tuple[PlanNode, ...]]]:
    yield node, above
    for child in node.children:
        yield from _with_ancestors(child, (*above, node))


def _aligned(width: int) -> int:
    return (width + 7) // 8 * 8


def _remark(kind: str, node: PlanNode, message: str, **evidence: float | str) -> Remark:
    return Remark(kind=kind, number=node.number, node=node.label, message=message, evidence=evidence)
