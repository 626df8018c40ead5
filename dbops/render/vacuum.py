"""What VACUUM has to do, and what it did, as text for a person and as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from dbops.findings.vacuum_advice import Cause, IndexAdvice, Outcome
from dbops.render.page import Page, styled, visible_code
from dbops.snapshot.amounts import format_bytes, format_count, format_seconds, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from rich.text import Text

    from dbops.findings.vacuum_advice import Gauge, TableAdvice, Treated, Tuning, VacuumPlan
    from dbops.snapshot.bloat import Bloat
    from dbops.snapshot.vacuum_rows import HorizonHolder

SCHEMA_VERSION: Final = 1
_MOST_HOLDERS: Final = 3
_WORDS: Final = {
    Outcome.DONE: ("done", "green"),
    Outcome.HELD: ("rows stay", "yellow"),
    Outcome.UNPROVED: ("unproved", "bold red"),
    Outcome.LOCKED: ("skipped", "yellow"),
    Outcome.TIMEOUT: ("stopped", "yellow"),
    Outcome.LEFT: ("left", "yellow"),
    Outcome.DENIED: ("denied", "yellow"),
    Outcome.FAILED: ("failed", "bold red"),
    Outcome.INTERRUPTED: ("stopped", "bold red"),
}
_CAUSES: Final = {Cause.BLOATED: "bloated", Cause.INVALID: "invalid", Cause.LEFTOVER: "left behind"}
#: Outcomes of statements that were never run.
_NOT_RUN: Final = frozenset({Outcome.DENIED, Outcome.LEFT})


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
        due = sum(item.obstacle is None for item in plan.work)
        lines.append(f"{plan.name}: {plural(due, 'statement')}, one at a time; {limits}")
        lines += [f"  {line}" for line in _work_lines(plan.work)]
    return visible_code("\n".join(lines))


def add_work(page: Page, items: Sequence[TableAdvice | IndexAdvice], *, indent: int = 0) -> None:
    """Add the statements that are to be run, and what is not, with the reason."""
    page.code(_work_lines(items), indent=indent)


def _work_lines(items: Sequence[TableAdvice | IndexAdvice]) -> Iterator[str]:
    for item in items:
        if item.obstacle is None:
            caution = f"  -- {item.caution}" if isinstance(item, IndexAdvice) and item.caution else ""
            yield f"{item.statement};{caution}"
    for item in items:
        if item.obstacle is not None:
            yield f"not {item.name}: {item.obstacle}"


def render_results(
    plan: VacuumPlan,
    results: Sequence[Treated],
    *,
    width: int = 100,
    colour: bool = False,
    encoding: str = "utf-8",
) -> str:
    """Return how it went with each statement."""
    page = Page(width=width, colour=colour)
    done = sum(result.outcome is Outcome.DONE for result in results)
    head = f"{format_count(done)} of {plural(len(plan.work), 'statement')} done"
    page.prose(styled((plan.name, "bold"), f" · {head}"))
    add_results(page, results)
    return page.text(encoding)


def add_results(page: Page, results: Sequence[Treated], *, indent: int = 0) -> None:
    """Add how it went with each statement."""
    for result in results:
        word, style = _WORDS[result.outcome]
        facts = []
        if result.dead_before is not None and result.dead_after is not None:
            facts.append(f"dead rows {format_count(result.dead_before)} → {format_count(result.dead_after)}")
        if result.size_before is not None and result.size_after is not None:
            facts.append(f"{format_bytes(result.size_before)} → {format_bytes(result.size_after)}")
        if result.outcome not in _NOT_RUN:
            facts.append(duration(result.duration_s))
        first, *rest = result.statement.split("\n")
        page.line(
            styled((f"{word:<9}", style), f" {first}{' …' if rest else ''}", *(f" · {fact}" for fact in facts)),
            indent=indent,
        )
        for text in filter(None, (result.reason, result.hint)):
            page.prose(text, indent=indent + 10)
        if result.leftover:
            page.prose(
                "it left an unfinished index behind; when nobody builds it, this takes it away:", indent=indent + 10
            )
            page.code(result.leftover.split("\n"), indent=indent + 12, style="cyan")


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
            {**plan_document(plan), "results": result_documents(results.get(number))}
            for number, plan in enumerate(plans)
        ],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _add_plan(page: Page, plan: VacuumPlan, verbosity: int) -> None:
    facts = [f"PostgreSQL {plan.server_version}", f"{plan.taken_at:%Y-%m-%d %H:%M %Z}".rstrip()]
    page.items(styled((plan.name, "bold"), " · "), facts, separator=" · ", hanging=2)
    page.prose(_verdict(plan))
    most = len(plan.holders) if verbosity > 1 else _MOST_HOLDERS
    for holder in plan.holders[:most]:
        page.prose(f"held back: {_holder_words(holder, plan.taken_at)}", indent=2, hanging=2)
    if len(plan.holders) > most:
        page.line(f"and {format_count(len(plan.holders) - most)} more that hold dead rows: -v", indent=2)
    for table in plan.tables:
        page.blank()
        _add_table(page, table, plan, verbosity)
    for index in plan.indexes:
        page.blank()
        _add_index(page, index)
    _add_rest(page, plan)


def _verdict(plan: VacuumPlan) -> Text:
    tables, due, wrong = len(plan.tables) + plan.quiet_count, len(plan.due), len(_doable(plan))
    if due:
        indexes = f", and {plural(wrong, 'index')}" if wrong else ""
        return styled((f"{format_count(due)} of {plural(tables, 'table')}{indexes}", "yellow"), " to work at.")
    if wrong:
        return styled((plural(wrong, "index"), "yellow"), f" to work at, and none of {plural(tables, 'table')}.")
    return styled(("Nothing to do", "green"), f" in {plural(tables, 'table')}.")


def _doable(plan: VacuumPlan) -> list[IndexAdvice]:
    return [index for index in plan.indexes if index.obstacle is None]


def _add_rest(page: Page, plan: VacuumPlan) -> None:
    """Add what is not shown, what was not seen, and the command that does what is due."""
    page.blank()
    if plan.quiet_count:
        page.line(f"{plural(plan.quiet_count, 'table')} with nothing to do: --all shows them")
    for line in plan.unseen:
        page.prose(styled(("not seen: ", "yellow"), line), hanging=2)
    if not plan.has_bloat:
        page.line("bloat was not looked for: --bloat measures it")
    if plan.due or _doable(plan):
        reindex = " --reindex" if _doable(plan) else ""
        page.line(styled(("to do it: ", "dim"), f"manage.py dbvacuum{reindex} --apply"))


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
    for one in table.bloat:
        whose = "bloat of its TOAST table: " if one.is_toast else "bloat: "
        page.prose(styled((whose, "yellow" if one.is_much else ""), bloat_words(one.bloat)), indent=2, hanging=2)
    if any(one.is_much for one in table.bloat):
        page.line(styled(("to shrink it: ", "dim"), "manage.py dbanalyze --explain bloated_table"), indent=2)
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
    for tuning in table.tunings:
        _add_tuning(page, tuning, verbosity)


def _add_index(page: Page, index: IndexAdvice) -> None:
    size = "" if index.size_bytes is None else f", {format_bytes(index.size_bytes)}"
    page.line(styled((index.name, "bold"), f"  index of {index.table}{size}  ", (_CAUSES[index.cause], "yellow")))
    page.prose(index.why, indent=2, hanging=2)
    page.code(f"{index.statement};".split("\n"), indent=4, style="cyan")
    if index.caution:
        page.prose(styled(("caution: ", "bold yellow"), index.caution), indent=2, hanging=2)
    if index.obstacle:
        page.prose(styled(("not by itself: ", "yellow"), index.obstacle), indent=2, hanging=2)


def bloat_words(bloat: Bloat | str) -> str:
    """Return how much is wasted of which size, measured or estimated, or why that is not known."""
    if isinstance(bloat, str):
        return f"not known: {bloat}"
    wasted, size = format_bytes(bloat.wasted_bytes), format_bytes(bloat.size_bytes)
    how = "measured" if bloat.unmeasured is None else f"estimated, and not measured: {bloat.unmeasured}"
    return f"{wasted} of {size} ({bloat.wasted_ratio:.0%}), {how}"


def _add_tuning(page: Page, tuning: Tuning, verbosity: int) -> None:
    page.prose(styled(("tuning: ", "yellow"), tuning.why), indent=2, hanging=2)
    page.code(tuning.fix.sql, indent=4, style="cyan")
    if tuning.fix.operation:
        page.line("or in a migration:", indent=2)
        page.code([tuning.fix.operation], indent=4, style="cyan")
    if verbosity > 1:
        page.line("undo in SQL:", indent=2)
        page.code(tuning.fix.undo, indent=4, style="cyan")


def duration(seconds: float) -> str:
    """Return how long something took: `34 ms`, or as format_seconds() has it."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else format_seconds(seconds)


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
            full = (
                f"{gauge.fill:.0%} full"
                if (gauge.fill or 0) < 10
                else f"{format_count(int(gauge.fill or 0))} times that"
            )
            yield f"{format_count(gauge.changes)} {what}; {comes} {format_count(gauge.trigger)}: {full}"


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


def plan_document(plan: VacuumPlan) -> dict[str, Any]:
    """Return a plan as JSON has it."""
    return {
        "target": {"alias": plan.alias, "database": plan.database, "server_version": plan.server_version},
        "taken_at": plan.taken_at.isoformat(),
        "holders": [_holder_document(holder) for holder in plan.holders],
        "tables": [_table_document(table) for table in plan.tables],
        "quiet_tables": plan.quiet_count,
        "indexes": [_index_document(index) for index in plan.indexes],
        "bloat_measured": plan.has_bloat,
        "reindex": plan.is_reindexing,
        "unseen": list(plan.unseen),
    }


def _table_document(table: TableAdvice) -> dict[str, Any]:
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
        "bloat": [{"is_toast": one.is_toast, **_bloat_document(one.bloat)} for one in table.bloat],
        "tunings": [
            {
                "check": tuning.check,
                "why": tuning.why,
                "sql": list(tuning.fix.sql),
                "undo": list(tuning.fix.undo),
                "operation": tuning.fix.operation,
            }
            for tuning in table.tunings
        ],
    }


def _index_document(index: IndexAdvice) -> dict[str, Any]:
    return {
        "index": index.name,
        "table": index.table,
        "cause": index.cause,
        "why": index.why,
        "size_bytes": index.size_bytes,
        "bloat": index.bloat and _bloat_document(index.bloat),
        "statement": index.statement,
        "caution": index.caution,
        "obstacle": index.obstacle,
    }


def _bloat_document(bloat: Bloat | str) -> dict[str, Any]:
    if isinstance(bloat, str):
        return {"size_bytes": None, "wasted_bytes": None, "wasted_ratio": None, "basis": None, "reason": bloat}
    return {
        "size_bytes": bloat.size_bytes,
        "wasted_bytes": bloat.wasted_bytes,
        "wasted_ratio": round(bloat.wasted_ratio, 3),
        "basis": "measured" if bloat.unmeasured is None else "estimated",
        "reason": bloat.unmeasured,
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


def result_documents(results: Sequence[Treated] | None) -> list[dict[str, Any]] | None:
    """Return what came of a plan as JSON has it; None where it was not carried out."""
    if results is None:
        return None
    return [
        {
            "target": result.name,
            "statement": result.statement,
            "outcome": result.outcome,
            "dead_rows_before": result.dead_before,
            "dead_rows_after": result.dead_after,
            "size_bytes_before": result.size_before,
            "size_bytes_after": result.size_after,
            "duration_s": round(result.duration_s, 3),
            "reason": result.reason,
            "leftover": result.leftover,
        }
        for result in results
    ]


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
