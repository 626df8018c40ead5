"""How to make a finding go away: SQL that can be pasted, its undo, and the change it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbops.findings.changes import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """Statements in their order, ready to run.

    `in_transaction` is False when a statement refuses to run inside a transaction (… CONCURRENTLY). `caution` says
    what applying costs here, when it is more than a moment. `operation` is the Django migration operation, where the
    object belongs to a model and Django can express the change.
    """

    sql: tuple[str, ...]
    undo: tuple[str, ...] = ()
    in_transaction: bool = True
    caution: str | None = None
    operation: str | None = None
    change: Change | None = None


def join_fixes(fixes: Sequence[Fix | None]) -> Fix | None:
    """Return one fix that does what all of `fixes` do; None where any is missing, and without undo where any has none.

    Half an undo would be worse than none: it leaves a state that nobody ever had.
    """
    known = [fix for fix in fixes if fix is not None]
    if len(known) < len(fixes):
        return None
    undo = [statement for fix in reversed(known) for statement in fix.undo] if all(fix.undo for fix in known) else ()
    cautions = dict.fromkeys(fix.caution for fix in known if fix.caution)
    return Fix(
        sql=tuple(statement for fix in known for statement in fix.sql),
        undo=tuple(undo),
        in_transaction=all(fix.in_transaction for fix in known),
        caution="; ".join(cautions) or None,
    )
