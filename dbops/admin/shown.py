"""A stored finding as the pages show it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dbops.admin.evidence import readable
from dbops.findings.finding import Confidence, Ownership
from dbops.history.storage import finding_of
from dbops.render.remedies import remedies

if TYPE_CHECKING:
    from dbops.findings.finding import Finding
    from dbops.models import Finding as Row
    from dbops.render.remedies import Remedy


@dataclass(frozen=True)
class Shown:
    """One finding, with what the templates ask of it."""

    row: Row

    @cached_property
    def finding(self) -> Finding:
        return finding_of(self.row)

    @property
    def place(self) -> str:
        """`shop.Order.user`, empty where no model is concerned."""
        return ".".join(part for part in (self.row.model, self.row.field) if part)

    @property
    def whose(self) -> str:
        """Who can mend it, in words."""
        if self.finding.owner.ownership is Ownership.UNMANAGED:
            return "managed = False" if self.row.model else "no model"
        return self.row.get_ownership_display()

    @property
    def doubt(self) -> str:
        """How sure it is, where it is not."""
        return "" if self.row.confidence == Confidence.HIGH else f"{self.row.confidence} confidence, {self.row.basis}"

    @property
    def evidence(self) -> list[tuple[str, str]]:
        return readable(self.row.evidence)

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        return remedies(self.finding)

    @property
    def caution(self) -> str | None:
        return self.finding.fix.caution if self.finding.fix else None

    @property
    def undo(self) -> tuple[str, ...]:
        return self.finding.fix.undo if self.finding.fix else ()
