"""A plan as EXPLAIN (FORMAT JSON, VERBOSE) has it: its nodes, and which part of the cost each one makes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dbops.snapshot.names import qualified
from dbops.snapshot.statement_text import redacted, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONDITIONS: Final = (
    "Filter",
    "Index Cond",
    "Recheck Cond",
    "Hash Cond",
    "Merge Cond",
    "Join Filter",
    "One-Time Filter",
)
_AGGREGATES: Final = {"Hashed": "HashAggregate", "Sorted": "GroupAggregate", "Mixed": "MixedAggregate"}
#: Words before a bracket that call no function.
_NO_FUNCTIONS: Final = frozenset({"and", "or", "not", "any", "all", "in", "row", "is", "like", "between"})
_NOT_NULL: Final = re.compile(r"\([^()]* IS NOT NULL\)")
#: An inner side that remembers its rows is not worked out again for each outer row.
REMEMBERS: Final = frozenset({"Materialize", "Memoize"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNode:
    """One node: `number` counts from 1 in the order in which EXPLAIN prints them.

    Costs are the planner's units, `rows` what it expects of one execution of the node, `width` bytes of a row. `place`
    is schema and name of the table that it reads or writes. `conditions` are by EXPLAIN's names, and may hold data,
    unlike `shown_condition`. `role` is EXPLAIN's Parent Relationship (`Outer`, `Inner`, `Member`, `InitPlan`,
    `SubPlan`), empty at the top.
    """

    number: int
    kind: str
    label: str
    place: tuple[str, str] | None
    alias: str | None
    index: str | None
    role: str
    subplan: str | None
    rows: int
    width: int
    startup_cost: float
    total_cost: float
    is_parallel_aware: bool
    inner_unique: bool
    join_type: str | None
    conditions: Mapping[str, str]
    planned_partitions: int
    subplans_removed: int
    children: tuple[PlanNode, ...]

    def walk(self) -> Iterator[PlanNode]:
        """Iterate over this node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def relation(self) -> str | None:
        """The table that it reads or writes."""
        return None if self.place is None else qualified(*self.place)

    def child(self, role: str) -> PlanNode | None:
        return next((child for child in self.children if child.role == role), None)

    def shown_condition(self, name: str) -> str:
        """Return a condition without what could be data."""
        return redacted(self.conditions[name])

    @property
    def looks_up(self) -> bool:
        """Whether an index condition narrows what is read; max() and min() ask for what IS NOT NULL alone."""
        condition = self.conditions.get("Index Cond", self.conditions.get("Recheck Cond", ""))
        return condition != "" and _NOT_NULL.fullmatch(condition) is None

    def columns_of(self, condition: str, *, bare: bool = False) -> tuple[str, ...]:
        """Return the columns of this node's own relation in a condition, each once.

        `bare` leaves out what is only handed to a function: an index on the column does not serve there.
        """
        found = list(tokens(self.conditions.get(condition, "")))
        names, calls = [], []
        for place, token in enumerate(found):
            if token == ("other", "("):
                before = _name(found[place - 1]) if place else None
                calls.append(before is not None and before.lower() not in _NO_FUNCTIONS)
            elif token == ("other", ")") and calls:
                calls.pop()
            is_own = _name(token) == self.alias and found[place + 1 : place + 2] == [("other", ".")]
            if is_own and place + 2 < len(found) and not (bare and any(calls)):
                names.append(_name(found[place + 2]))
        return tuple(dict.fromkeys(name for name in names if name is not None))


@dataclass(frozen=True, slots=True)
class CostShare:
    """Which part of the whole plan's cost a node makes: with all below it, and by itself."""

    whole: float
    own: float


def read_plan(document: Mapping[str, Any]) -> PlanNode:
    """Return the topmost node of a document as EXPLAIN gives it: `{"Plan": {…}}`."""
    return _node(document["Plan"], 0)[0]


def cost_shares(root: PlanNode) -> dict[int, CostShare]:
    """Return the shares of cost by the number of the node; those of all nodes by themselves add up to 1.

    An inner side of a nested loop counts once for each outer row. Where nodes together cost more than what is above
    them, as below a LIMIT that ends early, each is taken for as much less.
    """
    shares: dict[int, CostShare] = {}
    _share(root, root.total_cost or 1.0, root.total_cost or 1.0, shares)
    return shares


def _share(node: PlanNode, cost: float, whole: float, shares: dict[int, CostShare]) -> None:
    times = cost / node.total_cost if node.total_cost > 0 else 0.0  # how much of the node is carried out
    wanted = [child.total_cost * _times(node, child) * times for child in node.children]
    scale = min(1.0, cost / sum(wanted)) if sum(wanted) > 0 else 0.0
    costs = [one * scale for one in wanted]
    shares[node.number] = CostShare(cost / whole, max(cost - sum(costs), 0.0) / whole)
    for child, one in zip(node.children, costs, strict=True):
        _share(child, one, whole, shares)


def _times(node: PlanNode, child: PlanNode) -> int:
    """Return how often a child is carried out for one execution of its node."""
    if child.role == "SubPlan" and not is_hashed(node, child):
        return max(node.rows, 1)
    outer = node.child("Outer")
    is_rescanned = node.kind == "Nested Loop" and child.role == "Inner" and child.kind not in REMEMBERS
    return max(outer.rows, 1) if is_rescanned and outer is not None else 1


def is_hashed(node: PlanNode, subplan: PlanNode) -> bool:
    """Return whether a SubPlan is carried out once, and its rows kept in a hash table."""
    return any(f"hashed {subplan.subplan}" in text for text in node.conditions.values())


def _node(plan: Mapping[str, Any], number: int) -> tuple[PlanNode, int]:
    """Return a node and the number of the last one in it."""
    own = last = number + 1
    children = []
    for one in plan.get("Plans", ()):
        child, last = _node(one, last)
        children.append(child)
    place = (plan["Schema"], plan["Relation Name"]) if {"Schema", "Relation Name"} <= plan.keys() else None
    made = PlanNode(
        number=own,
        kind=plan["Node Type"],
        label=_label(plan, None if place is None else qualified(*place)),
        place=place,
        alias=plan.get("Alias"),
        index=plan.get("Index Name"),
        role=plan.get("Parent Relationship", ""),
        subplan=plan.get("Subplan Name"),
        rows=plan["Plan Rows"],
        width=plan["Plan Width"],
        startup_cost=plan["Startup Cost"],
        total_cost=plan["Total Cost"],
        is_parallel_aware=plan.get("Parallel Aware", False),
        inner_unique=plan.get("Inner Unique", False),
        join_type=plan.get("Join Type"),
        conditions={name: plan[name] for name in _CONDITIONS if name in plan},
        planned_partitions=plan.get("Planned Partitions", 0),
        subplans_removed=plan.get("Subplans Removed", 0),
        children=tuple(children),
    )
    return made, last


def _label(plan: Mapping[str, Any], relation: str | None) -> str:
    """Return a node as EXPLAIN's text has it: `Index Scan Backward using task_pkey on public.task t`."""
    kind: str = plan["Node Type"]
    if kind == "Aggregate":
        kind = _AGGREGATES.get(plan.get("Strategy", ""), kind)
    elif kind == "ModifyTable":
        kind = plan.get("Operation", kind)
    join = plan.get("Join Type", "Inner")
    if join != "Inner":
        kind = f"{kind.removesuffix(' Join')} {join} Join"
    elif kind in {"Hash", "Merge"}:
        kind += " Join" if "Join Type" in plan else ""
    words = [f"Parallel {kind}" if plan.get("Parallel Aware") else kind]
    if plan.get("Scan Direction") == "Backward":
        words.append("Backward")
    if "Index Name" in plan:
        words.append(f"{'on' if kind == 'Bitmap Index Scan' else 'using'} {qualified(plan['Index Name'])}")
    name = relation or plan.get("CTE Name") or plan.get("Function Name")
    alias = plan.get("Alias")
    if name is not None:
        words.append(f"on {name}")
        if alias not in {None, plan.get("Relation Name"), name}:
            words.append(qualified(alias))
    elif alias is not None and alias != plan.get("Relation Name"):
        words.append(f"on {qualified(alias)}")
    return " ".join(words)


def _name(token: tuple[str, str]) -> str | None:
    kind, spelled = token
    if kind == "quoted":
        return spelled[1:-1].replace('""', '"')
    return spelled if kind == "word" else None
