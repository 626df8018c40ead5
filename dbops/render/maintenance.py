"""What a round of maintenance did, as text for a person and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from dbops.findings.finding import Severity
from dbops.findings.maintenance import State
from dbops.render.advice import Advice
from dbops.render.blocks import blocks, split
from dbops.render.gaps import gaps
from dbops.render.json import report_document
from dbops.render.page import Page, styled
from dbops.render.vacuum import add_results, add_work, duration, plan_document, result_documents
from dbops.snapshot.amounts import format_bytes, plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dbops.findings.maintenance import Round, Sizes, Step
    from dbops.findings.report import Report

SCHEMA_VERSION: Final = 1
_STYLES: Final = {State.DONE: "green", State.TO_DO: "yellow", State.SKIPPED: "yellow", State.FAILED: "bold red"}
#: The step of which only what is critical is shown.
_ALARMS: Final = "alarms"


def render_rounds(
    rounds: Sequence[Round],
    *,
    width: int = 100,
    colour: bool = False,
    encoding: str = "utf-8",
    verbosity: int = 1,
) -> str:
    """Return each step of each database: a line, and below it what there is to say; all of it with `verbosity` 2."""
    page = Page(width=width, colour=colour)
    for number, one in enumerate(rounds):
        if number:
            page.blank()
        states = [step.state for step in one.steps]
        counts = [f"{states.count(state)} {state}" for state in State if state in states]
        page.line(styled((f"{one.name}", "bold"), f" · {one.routine} · {', '.join(counts) or 'not begun'}"))
        for step in one.steps:
            _add_step(page, step, verbosity)
        if State.TO_DO in states:
            page.blank()
            page.line(styled(("to do it: ", "dim"), f"manage.py dbmaintain {one.routine} --apply"))
    return page.text(encoding)


def render_json(rounds: Sequence[Round], *, generated_at: datetime, version: str) -> str:
    """Return all of it as one JSON document in ASCII."""
    document = {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "dbops", "version": version},
        "generated_at": generated_at.isoformat(),
        "rounds": [
            {
                "alias": one.alias,
                "database": one.name,
                "routine": one.routine,
                "steps": [_step_document(step) for step in one.steps],
            }
            for one in rounds
        ],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _add_step(page: Page, step: Step, verbosity: int) -> None:
    page.blank()
    lasted = [f" · {duration(step.duration_s)}"] if step.state is State.DONE and step.duration_s else []
    head = styled((f"{step.name:<11}", "bold"), (f"{step.state:<8}", _STYLES[step.state]), step.note, *lasted)
    page.prose(head, hanging=4)
    if step.results is not None and step.plan is not None:
        add_results(page, step.results, indent=4)
    elif step.plan is not None and step.state is State.TO_DO:
        items = step.plan.rebuilds if step.name == "reindex" else step.plan.due
        add_work(page, items, indent=4)
    if step.sizes is not None:
        _add_sizes(page, step.sizes)
    if step.report is not None:
        _add_report(page, step.report, verbosity, is_alarm=step.name == _ALARMS)


def _add_report(page: Page, report: Report, verbosity: int, *, is_alarm: bool) -> None:
    found, others = split(report.findings)
    if is_alarm:
        found = [finding for finding in report.findings if finding.severity is Severity.CRITICAL]
    shown = found if verbosity < 2 or is_alarm else [*found, *others]
    advice = Advice(page, report, verbosity=verbosity)
    for block in blocks(shown):
        advice.block(block)
    if others and not is_alarm and verbosity < 2:
        page.line(f"{plural(len(others), 'remark')} on tables of contrib or third-party apps: -v", indent=4)
    unseen = gaps(report)
    told = [gap for gap in unseen if gap.is_failure] if is_alarm and verbosity < 2 else unseen
    for gap in told:
        page.prose(styled(("not seen: ", "yellow"), str(gap)), indent=4, hanging=2)
    if len(told) < len(unseen):
        count = plural(len(unseen) - len(told), "thing")
        page.line(styled(("not seen: ", "yellow"), f"{count}, which -v names"), indent=4)


def _add_sizes(page: Page, sizes: Sizes) -> None:
    widest = max((len(table.name) for table in sizes.tables), default=0)
    for table in sizes.tables:
        indexes = f", {format_bytes(table.index_bytes)} of it indexes" if table.index_bytes else ""
        growth = (
            "" if table.growth_per_day is None else f"; the table grows by {format_bytes(table.growth_per_day)} a day"
        )
        page.line(f"{table.name:<{widest}}  {format_bytes(table.size_bytes):>8}{indexes}{growth}", indent=4)
    if sizes.database_growth_per_day is not None:
        page.line(f"the database grows by {format_bytes(sizes.database_growth_per_day)} a day", indent=4)
    if sizes.unseen:
        page.prose(styled(("not seen: ", "yellow"), sizes.unseen), indent=4, hanging=2)


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "state": step.state,
        "note": step.note,
        "duration_s": round(step.duration_s, 3),
        "plan": step.plan and plan_document(step.plan),
        "results": result_documents(step.results),
        "report": step.report and report_document(step.report),
        "sizes": step.sizes and asdict(step.sizes),
    }
