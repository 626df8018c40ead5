"""Findings on single partitions, told as one finding of the table they are part of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from dbops.findings.finding import Kind, Location, Target, added
from dbops.findings.fix import join_fixes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dbops.findings.finding import Finding
    from dbops.snapshot.rows import Table
    from dbops.snapshot.schema import Schema


def the_table(root: Table, _finding: Finding) -> Target:
    """Return the partitioned table itself as the target of what was found on its partitions."""
    return Target(Kind.TABLE, root.qualified_name)


def roll_up(
    schema: Schema,
    findings: Iterable[Finding],
    *,
    message: Callable[[Table, Sequence[Finding]], str],
    target: Callable[[Table, Finding], Target] = the_table,
) -> Iterator[Finding]:
    """Iterate over `findings`, those on partitions put together by the `target` that they get at the topmost table.

    The whole takes the worst severity, adds up sizes, waste and writes where all are known, names its parts in
    `rolled_up`, and mends them all.
    """
    together: dict[Target, list[Finding]] = defaultdict(list)
    roots: dict[Target, Table] = {}
    for finding in findings:
        table = schema.tables.get(finding.location.table_oid) if finding.location else None
        if table is None or not table.is_partition:
            yield finding
        else:
            root = schema.root(table)
            whole = target(root, finding)
            roots[whole] = root
            together[whole].append(finding)
    for whole, parts in together.items():
        yield _rolled_up(whole, roots[whole], parts, message(roots[whole], parts))


def _rolled_up(target: Target, root: Table, parts: Sequence[Finding], message: str) -> Finding:
    worst = max(parts, key=lambda part: part.severity.rank)
    columns = {part.location.columns for part in parts if part.location is not None}
    return replace(
        worst,
        target=target,
        message=message,
        evidence=added(parts, ("size_bytes", "wasted_bytes", "writes")),
        fix=join_fixes([part.fix for part in parts]),
        location=Location(table_oid=root.oid, columns=columns.pop() if len(columns) == 1 else ()),
        rolled_up=tuple(name for part in parts for name in (part.target.name, *part.rolled_up)),
    )
