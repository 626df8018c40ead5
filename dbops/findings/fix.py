"""How to make a finding go away: SQL that can be pasted, its undo, and the change it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
