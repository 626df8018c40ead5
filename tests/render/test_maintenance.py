"""The routine's reports as text: what is counted in a step's line is shown below it, or said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.findings.finding import Owner, Ownership, Severity
from dbops.findings.maintenance import Round, Routine, State, Step
from dbops.render.maintenance import render_rounds
from tests.render.reports import a_finding, a_redundant_index, a_report

if TYPE_CHECKING:
    from dbops.findings.report import Report


def shown(report: Report, *, verbosity: int = 1) -> str:
    step = Step(name="indexes", state=State.DONE, note="2 findings", report=report)
    return render_rounds(
        [Round(alias="default", name="shop", routine=Routine.WEEKLY, steps=[step])], verbosity=verbosity
    )


def test_what_is_other_peoples_to_mend_is_counted_and_shown_when_asked() -> None:
    theirs = a_redundant_index(9, owner=Owner(ownership=Ownership.CONTRIB))
    report = a_report(a_finding("public.mine", severity=Severity.WARNING), theirs)
    text = shown(report)
    assert "public.mine" in text
    assert theirs.target.name not in text
    assert "1 remark on tables of contrib or third-party apps: -v" in text
    text = shown(report, verbosity=2)
    assert theirs.target.name in text
    assert "third-party apps: -v" not in text
