"""What VACUUM has to do, and what it did, as text for a person and as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from dbops.findings.vacuum_advice import Outcome
from dbops.render.page import Page, styled
from dbops.snapshot.amounts import format_bytes, format_count, format_seconds, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from dbops.findings.fix import Fix
    from dbops.findings.vacuum_advice import Gauge, TableAdvice, Treated, VacuumPlan
    from dbops.snapshot.vacuum_rows import HorizonHolder

SCHEMA_VERSION: Final = 1
_MOST_HOLDERS: Final = 3
_WORDS: Final = {
    Outcome.DONE: ("done", "green"),
    Outcome.HELD: ("rows stay", "yellow"),
    Outcome.LOCKED: ("skipped", "yellow"),
    Outcome.TIMEOUT: ("stopped", "yellow"),
    Outcome.DENIED: ("denied", "yellow"),
    Outcome.FAILED: ("failed", "bold red"),
}


def render_advice(
    plans: Sequence[VacuumPlan],
    *,
    width: int = 100,
    colour: bool = False,
    encoding: str = "utf-8",
    verbosity: int = 1,
) -> str:
    """Return what there is to do in each database; `verbosity` 2 names every holder and shows what undoes a tuning."""
    page = Page(width=width, colour=colour)
    for number, plan in enumerate(plans):
        if number:
            page.blank()
        _add_plan(page, plan, verbosity)
    return page.text(encoding)


def render_work(plans: Sequence[VacuumPlan], limits: str) -> str:
    """Return the statements that are to be run, under which `limits`, as a plan to agree to."""
    lines = []
    for plan in plans:
        due = [table for table in plan.due if table.obstacle is None]
        lines.append(f"{plan.name}: {plural(len(due), 'statement')}, one at a time; {limits}")
        lines += [f"  {table.statement};" for table in due]
        lines += [f"  not {table.name}: {table.obstacle}" for table in plan.due if table.obstacle is not None]
    return "\n".join(lines)


def render_results(
    plan: VacuumPlan,
    results: Sequence[Treated],
    *,
    width: int = 100,
    colour: bool = False,
    encoding: str = "utf-8",
) -> str:
    """Return how it went with each table."""
    page = Page(width=width, colour=colour)
    done = sum(result.outcome is Outcome.DONE for result in results)
    page.prose(styled((plan.name, "bold"), f" · {format_count(done)} of {plural(len(plan.due), 'table')} done"))
    for result in results:
        word, style = _WORDS[result.outcome]
        facts = []
        if result.dead_before is not None and result.dead_after is not None:
            facts.append(f"dead rows {format_count(result.dead_before)} → {format_count(result.dead_after)}")
        if result.outcome is not Outcome.DENIED:
            facts.append(format_seconds(result.duration_s))
        page.line(styled((f"{word:<9}", style), f" {result.statement}", *(f" · {fact}" for fact in facts)))
        for text in filter(None, (result.reason, result.hint)):
            page.prose(text, indent=10)
    return page.text(encoding)


def render_json(
    plans: Sequence[VacuumPlan],
    results: Mapping[int, Sequence[Treated]],
    *,
    generated_at: datetime,
    version: str,
) -> str:
    """Return all of it as one JSON document in ASCII; `results` are by the number of the plan, none where none ran."""
    document = {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "dbops", "version": version},
        "generated_at": generated_at.isoformat(),
        "databases": [
            {**_plan_document(plan), "results": _result_documents(results.get(number))}
            for number, plan in enumerate(plans)
        ],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _add_plan(page: Page, plan: VacuumPlan, verbosity: int) -> None:
    facts = [f"PostgreSQL {plan.server_version}", f"{plan.taken_at:%Y-%m-%d %H:%M %Z}".rstrip()]
    page.items(styled((plan.name, "bold"), " · "), facts, separator=" · ", hanging=2)
    due = len(plan.due)
    total = len(plan.tables) + plan.quiet_count
    if due:
        page.prose(styled((f"{format_count(due)} of {plural(total, 'table')}", "yellow"), " to work at."))
    else:
        page.prose(styled(("Nothing to do", "green"), f" in {plural(total, 'table')}."))
    most = len(plan.holders) if verbosity > 1 else _MOST_HOLDERS
    for holder in plan.holders[:most]:
        page.prose(f"held back: {_holder_words(holder, plan.taken_at)}", indent=2, hanging=2)
    if len(plan.holders) > most:
        page.line(f"and {format_count(len(plan.holders) - most)} more that hold dead rows: -v", indent=2)
    for table in plan.tables:
        page.blank()
        _add_table(page, table, plan, verbosity)
    if plan.quiet_count:
        page.blank()
        page.line(f"{plural(plan.quiet_count, 'table')} with nothing to do: --all shows them")
    for line in plan.unseen:
        page.prose(styled(("not seen: ", "yellow"), line), hanging=2)
    if due:
        page.line(styled(("to do it: ", "dim"), "manage.py dbvacuum --apply"))


def _add_table(page: Page, table: TableAdvice, plan: VacuumPlan, verbosity: int) -> None:
    part = f"  partition of {table.root}" if table.root else ", as a whole" if table.is_whole else ""
    action = table.action or ("being vacuumed now" if table.is_vacuumed_now else "nothing to do")
    page.line(styled((table.name, "bold"), f"{part}  ", (action, "yellow" if table.action else "green")))
    rows = "rows not counted" if table.rows is None else plural(table.rows, "row")
    size = [] if table.size_bytes is None else [format_bytes(table.size_bytes)]
    ratio = "" if table.dead_ratio is None else f" ({table.dead_ratio:.0%})"
    dead = [] if table.is_whole else [f"{format_count(table.dead.changes)} dead{ratio}"]
    page.items(styled("  "), [rows, *size, *dead], separator=" · ", hanging=2)
    for text in _gauges(table):
        page.prose(text, indent=2, hanging=2)
    page.items(styled("  last: "), list(_ages(table, plan.taken_at)), separator=" · ", hanging=4)
    if table.hindrance and not table.is_whole:
        page.prose(styled(("autovacuum: ", "yellow"), table.hindrance), indent=2)
    if table.held_by:
        page.prose(
            styled(("the last vacuum left rows: ", "yellow"), f"{table.held_by} may still look at them"),
            indent=2,
            hanging=2,
        )
    if table.statement:
        page.code([f"{table.statement};"], indent=4, style="cyan")
    if table.obstacle:
        page.prose(styled(("not by this role: ", "yellow"), table.obstacle), indent=2, hanging=2)
    if table.tuning:
        _add_tuning(page, table.tuning, verbosity)


def _add_tuning(page: Page, tuning: Fix, verbosity: int) -> None:
    page.prose("too large for the server's scale factor; so that autovacuum comes sooner:", indent=2, hanging=2)
    page.code(tuning.sql, indent=4, style="cyan")
    if tuning.operation:
        page.line("or in a migration:", indent=2)
        page.code([tuning.operation], indent=4, style="cyan")
    if verbosity > 1:
        page.line("undo in SQL:", indent=2)
        page.code(tuning.undo, indent=4, style="cyan")


def _gauges(table: TableAdvice) -> Iterator[str]:
    """Iterate over what autovacuum waits for: of a table with nothing at all of a kind, not of that kind."""
    whole = "since it was analyzed as a whole, which only ANALYZE by hand does"
    kinds = [
        (table.dead, "dead rows", "autovacuum comes above"),
        (table.toast, "dead rows in its TOAST table", "autovacuum comes above"),
        (table.inserts, "inserts since the last vacuum", "autovacuum comes above"),
        (table.changes, "changes", "autovacuum analyzes above"),
    ]
    for gauge, what, comes in kinds:
        if gauge is None or not gauge.changes:
            continue
        if table.is_whole:
            yield f"{format_count(gauge.changes)} rows more or fewer {whole}"
        elif gauge.trigger is None:
            yield f"{format_count(gauge.changes)} {what}; autovacuum never comes for them"
        else:
            yield f"{format_count(gauge.changes)} {what}; {comes} {format_count(gauge.trigger)}: {gauge.fill:.0%} full"


def _ages(table: TableAdvice, now: datetime) -> Iterator[str]:
    moments = {"analyze": table.analyzed_at}
    if not table.is_whole:
        moments = {
            "vacuum": table.vacuumed_at,
            "autovacuum": table.autovacuumed_at,
            **moments,
            "autoanalyze": table.autoanalyzed_at,
        }
    for word, moment in moments.items():
        yield f"{word} never" if moment is None else f"{word} {_age(moment, now)} ago"


def _age(moment: datetime, now: datetime) -> str:
    return format_seconds(max((now - moment).total_seconds(), 0))


def _holder_words(holder: HorizonHolder, now: datetime) -> str:
    since = f", for {_age(holder.held_since, now)}" if holder.held_since else ""
    return f"{holder} holds dead rows of the last {plural(holder.xid_age, 'transaction')}{since}"


def _plan_document(plan: VacuumPlan) -> dict[str, Any]:
    return {
        "target": {"alias": plan.alias, "database": plan.database, "server_version": plan.server_version},
        "taken_at": plan.taken_at.isoformat(),
        "holders": [_holder_document(holder) for holder in plan.holders],
        "tables": [_table_document(table) for table in plan.tables],
        "quiet_tables": plan.quiet_count,
        "unseen": list(plan.unseen),
    }


def _table_document(table: TableAdvice) -> dict[str, Any]:
    tuning = table.tuning
    return {
        "table": table.name,
        "root": table.root,
        "is_whole": table.is_whole,
        "rows": table.rows,
        "size_bytes": table.size_bytes,
        "dead_ratio": table.dead_ratio,
        "dead_rows": _gauge_document(table.dead),
        "toast_dead_rows": table.toast and _gauge_document(table.toast),
        "inserts_since_vacuum": _gauge_document(table.inserts),
        "changes_since_analyze": _gauge_document(table.changes),
        "vacuumed_at": _moment(table.vacuumed_at),
        "autovacuumed_at": _moment(table.autovacuumed_at),
        "analyzed_at": _moment(table.analyzed_at),
        "autoanalyzed_at": _moment(table.autoanalyzed_at),
        "is_vacuumed_now": table.is_vacuumed_now,
        "hindrance": table.hindrance,
        "held_by": table.held_by and _holder_document(table.held_by),
        "needs_vacuum": table.needs_vacuum,
        "needs_analyze": table.needs_analyze,
        "statement": table.statement,
        "obstacle": table.obstacle,
        "tuning": tuning and {"sql": list(tuning.sql), "undo": list(tuning.undo), "operation": tuning.operation},
    }


def _gauge_document(gauge: Gauge) -> dict[str, Any]:
    return {"count": gauge.changes, "trigger": gauge.trigger, "filled_ratio": gauge.fill}


def _holder_document(holder: HorizonHolder) -> dict[str, Any]:
    return {
        "kind": holder.kind,
        "name": holder.name,
        "pid": holder.pid,
        "database": holder.database,
        "xid_age": holder.xid_age,
        "held_since": _moment(holder.held_since),
    }


def _result_documents(results: Sequence[Treated] | None) -> list[dict[str, Any]] | None:
    if results is None:
        return None
    return [
        {
            "table": result.name,
            "statement": result.statement,
            "outcome": result.outcome,
            "dead_rows_before": result.dead_before,
            "dead_rows_after": result.dead_after,
            "duration_s": round(result.duration_s, 3),
            "reason": result.reason,
        }
        for result in results
    ]


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
