"""How to mend a finding, as pieces of code with a heading each, for every face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.snapshot.amounts import listed, plural

if TYPE_CHECKING:
    from dbops.findings.finding import Finding

#: What a comment, an annotation or an alert shows of one finding, all of which hold a limited number of characters.
FEW_STATEMENTS: Final = 20
FEW_NAMES: Final = 50


@dataclass(frozen=True, slots=True)
class Remedy:
    """Code in one language that mends the finding; where there are several, one of them is enough."""

    heading: str
    language: str
    code: tuple[str, ...]

    @property
    def beginning(self) -> tuple[str, ...]:
        """The code, or its first statements and how many more there are: a partitioned table's has hundreds."""
        more = len(self.code) - FEW_STATEMENTS
        mark = {"sql": "--"}.get(self.language, "#")
        return self.code if more <= 0 else (*self.code[:FEW_STATEMENTS], f"{mark} {plural(more, 'more statement')}")


def remedies(finding: Finding) -> tuple[Remedy, ...]:
    """Return the ways to mend `finding`, the better one first; none when no code does."""
    fix = finding.fix
    if fix is None:
        return ()
    outside = "" if fix.in_transaction else ", outside a transaction"
    if not fix.operation:
        return (Remedy(f"fix in SQL{outside}", "sql", fix.sql),)
    label = finding.owner.app_label
    where = f"in a migration of {label}" if label else "in a migration"
    atomic = "" if fix.in_transaction else " with atomic = False"
    return (
        Remedy(f"fix {where}{atomic}", "python", (fix.operation,)),
        Remedy(f"or in SQL{outside}", "sql", fix.sql),
    )


def also(finding: Finding) -> str:
    """Return the names of what `finding` stands for beside its target, or the first of very many."""
    return listed(list(finding.rolled_up), most=FEW_NAMES)


def in_words(finding: Finding) -> str:
    """Return `finding`'s message and remedies as plain text."""
    caution = [f"caution: {finding.fix.caution}"] if finding.fix and finding.fix.caution else []
    code = [f"{remedy.heading}:\n" + "\n".join(remedy.beginning) for remedy in remedies(finding)]
    others = [f"the same: {also(finding)}"] if finding.rolled_up else []
    todo = [] if code else [f"what to do: manage.py dbanalyze --explain {finding.check}"]
    return "\n".join([finding.message, *others, *caution, *code, *todo])
