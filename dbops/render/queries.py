"""What statements cost, and how one is planned, as text for a person and as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len, set_cell_size

from dbops.findings.statement_ranking import By, Trend
from dbops.render.page import Page, styled, visible
from dbops.snapshot.amounts import format_bytes, format_count, format_seconds, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from dbops.findings.plan_reading import Explained
    from dbops.findings.statement_ranking import RankedStatement, Ranking, StatementReport
    from dbops.snapshot.activity_rows import Window

SCHEMA_VERSION: Final = 1
_BY: Final = {
    By.TOTAL: "total time",
    By.MEAN: "mean time",
    By.CALLS: "calls",
    By.ROWS: "rows",
    By.BLOCKS: "blocks",
    By.TEMP: "temporary blocks",
    By.WAL: "WAL",
}
_STYLES: Final = {Trend.SLOWER: "bold red", Trend.FASTER: "green", Trend.NEW: "yellow"}
_NOTHING: Final = "–"


def render_text(
    reports: Sequence[StatementReport],
    *,
    width: int = 100,
    colour: bool = False,
    encoding: str = "utf-8",
    verbosity: int = 1,
) -> str:
    """Return what each database's statements cost; `verbosity` 2 shows their whole texts."""
    page = Page(width=width, colour=colour)
    for number, report in enumerate(reports):
        if number:
            page.blank()
        _add_report(page, report, verbosity)
    return page.text(encoding)


def render_json(reports: Sequence[StatementReport], *, generated_at: datetime, version: str) -> str:
    """Return all of it as one JSON document in ASCII."""
    document = {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "dbops", "version": version},
        "generated_at": generated_at.isoformat(),
        "databases": [_document(report) for report in reports],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _add_report(page: Page, report: StatementReport, verbosity: int) -> None:
    version = [f"PostgreSQL {report.server_version}"] if report.server_version else []
    facts = [*version, f"{report.taken_at:%Y-%m-%d %H:%M %Z}".rstrip()]
    page.items(styled((report.name, "bold"), " · "), facts, separator=" · ", hanging=2)
    page.prose(f"window: {_window_words(report.window)}", hanging=2)
    if report.baseline:
        page.prose(f"compared with {_window_words(report.baseline)}", hanging=2)
    else:
        page.prose(f"not compared: {report.baseline_unknown}", hanging=2)
    for note in report.notes:
        page.prose(styled(("note: ", "yellow"), note), hanging=2)
    page.blank()
    ranking = report.ranking
    if report.is_detailed:
        for statement in ranking.statements:
            _add_detail(page, statement, report)
        if report.explained is not None:
            page.blank()
            _add_plan(page, report.explained)
        return
    shown = len(ranking.statements)
    head = f"{plural(ranking.count, 'statement')}, {plural(ranking.calls, 'call')}, {_time(ranking.total_ms)} in all"
    page.prose(f"{head}; {'the first' if shown == 1 else f'the first {shown}'} by {_BY[ranking.by]}" if shown else head)
    if not shown:
        page.prose(f"None of them has any {_BY[ranking.by]}." if ranking.count else "No statement ran.")
    else:
        _add_list(page, report, verbosity)
    if ranking.nested_count:
        page.prose(f"{format_count(ranking.nested_count)} more ran inside functions, counted with what called them")
    if shown:
        page.line(
            styled(("one in full: ", "dim"), "manage.py dbqueries --query QUERYID, with its plan: --explain QUERYID")
        )


def _add_list(page: Page, report: StatementReport, verbosity: int) -> None:
    """Add the statements as a table where there is room for it, else each with its facts in a few lines."""
    statements = report.ranking.statements
    header, rows = _table(report)
    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]
    is_table = sum(widths) + 2 * (len(widths) - 1) <= page.width
    if is_table:
        page.line(styled(("  ".join(map(_right, header, widths)).rstrip(), "dim")))
    for number, (statement, row) in enumerate(zip(statements, rows, strict=True)):
        style = _STYLES.get(statement.before.trend, "")
        if is_table:
            *cells, trend = map(_right, row, widths)
            page.line(styled("  ".join(cells), "  " if trend else "", (trend, style)))
        else:
            if number:
                page.blank()
            page.items(styled((f"{statement.rank}. ", "bold")), _facts(statement, report), separator=" · ", hanging=4)
        _add_text(page, statement, verbosity)


def _add_text(page: Page, statement: RankedStatement, verbosity: int) -> None:
    text = statement.activity.text or "(its text is not known any more)"
    if verbosity > 1:
        page.prose(styled((text, "cyan")), indent=4)
    else:
        page.line(styled((_cut(visible(text), page.width - 4), "cyan")), indent=4)
    touched = _touched(statement)
    gap = "  " if touched else ""
    page.items(styled(f"    {statement.activity.query_id}{gap}"), touched, separator=", ", hanging=6)


def _touched(statement: RankedStatement) -> list[str]:
    return [*statement.models, *statement.tables]


def _table(report: StatementReport) -> tuple[list[str], list[list[str]]]:
    ranking = report.ranking
    header = ["#", "time" if ranking.by in {By.TOTAL, By.MEAN} else ranking.by.value, "total", "calls", "mean"]
    has_p95 = any(one.p95_ms is not None for one in ranking.statements)
    header += [*(["p95"] if has_p95 else []), "rows/call", "hit", "read", "temp", "WAL"]
    rows = [_cells(one, report, has_p95=has_p95) for one in ranking.statements]
    return [*header, "before" if report.baseline else ""], rows


def _cells(statement: RankedStatement, report: StatementReport, *, has_p95: bool) -> list[str]:
    one = statement.activity
    share = statement.time_share if report.ranking.by is By.MEAN else statement.share
    p95 = [_NOTHING if statement.p95_ms is None else _ms(statement.p95_ms)] if has_p95 else []
    return [
        str(statement.rank),
        _percent(share),
        _time(one.total_ms),
        format_count(one.calls),
        _ms(one.mean_ms),
        *p95,
        f"{statement.rows_per_call:,.1f}",
        _percent(statement.hit_ratio),
        _blocks(one.shared_blocks_read, report),
        _blocks(one.temp_blocks_read + one.temp_blocks_written, report),
        format_bytes(one.wal_bytes) if one.wal_bytes else _NOTHING,
        _trend(statement) if report.baseline else "",
    ]


def _facts(statement: RankedStatement, report: StatementReport) -> list[str]:
    """Return the facts of a statement with their names: for a narrow terminal, and in full."""
    one = statement.activity
    share = statement.time_share if report.ranking.by is By.MEAN else statement.share
    noun = "the time" if report.ranking.by in {By.TOTAL, By.MEAN} else f"all {_BY[report.ranking.by]}"
    blocks = one.shared_blocks_hit + one.shared_blocks_read
    temp = one.temp_blocks_read + one.temp_blocks_written
    return [
        *([] if share is None else [f"{_percent(share)} of {noun}"]),
        f"{_time(one.total_ms)} in {plural(one.calls, 'call')}",
        f"{_ms(one.mean_ms)} mean",
        *([] if statement.p95_ms is None else [f"{_ms(statement.p95_ms)} p95"]),
        f"{statement.rows_per_call:,.1f} rows/call",
        *([f"{_blocks(blocks, report)} of blocks, {_percent(statement.hit_ratio)} hit"] if blocks else []),
        *([f"{_blocks(temp, report)} temp"] if temp else []),
        *([f"{format_bytes(one.wal_bytes)} WAL"] if one.wal_bytes else []),
        *([] if statement.before.trend is Trend.UNKNOWN else [f"before: {_trend(statement)}"]),
    ]


def _add_detail(page: Page, statement: RankedStatement, report: StatementReport) -> None:
    one, before = statement.activity, statement.before
    page.line(styled((f"query {one.query_id}", "bold"), "" if one.is_top_level else ", inside functions alone"))
    page.prose(styled((one.text or "(its text is not known any more)", "cyan")), indent=2)
    total = plural(report.ranking.count, "statement")
    if one.is_top_level:
        page.line(f"place: {statement.rank} of {total} by {_BY[report.ranking.by]}", indent=2)
    time_share = "" if statement.time_share is None else f", {_percent(statement.time_share)} of all"
    page.line(f"time: {_time(one.total_ms)} in {plural(one.calls, 'call')}{time_share}", indent=2)
    p95 = "" if statement.p95_ms is None else f", p95 {_ms(statement.p95_ms)}"
    page.line(f"each: {_ms(one.mean_ms)} mean{p95}, {_ms(one.max_ms)} at most since it is counted", indent=2)
    if statement.p95_ms is None and statement.p95_unknown:
        page.prose(f"p95: not known, {statement.p95_unknown}", indent=2, hanging=2)
    page.line(f"rows: {format_count(one.rows)}, {statement.rows_per_call:,.1f} per call", indent=2)
    for words in _block_words(statement, report):
        page.line(words, indent=2)
    if before.mean_ms is not None and before.calls is not None:
        pace = f", now {_times(before.calls_per_hour_ratio)} as often" if before.calls_per_hour_ratio else ""
        page.prose(
            styled(
                f"before: {_ms(before.mean_ms)} mean in {plural(before.calls, 'call')}{pace}; ",
                (_trend(statement), _STYLES.get(before.trend, "")),
            ),
            indent=2,
            hanging=2,
        )
    else:
        page.line("before: " + ("it did not run" if before.trend is Trend.NEW else "not known"), indent=2)
    touched = _touched(statement)
    if touched:
        page.items(styled("  touches: "), touched, separator=", ", hanging=4)


def _block_words(statement: RankedStatement, report: StatementReport) -> Iterator[str]:
    one = statement.activity

    def size(count: int) -> str:
        return format_bytes(count * report.block_bytes)

    if one.shared_blocks_hit or one.shared_blocks_read:
        read_ms = f" in {_time(one.block_read_ms)}" if one.block_read_ms else ""
        yield (
            f"blocks: {size(one.shared_blocks_hit)} hit, {size(one.shared_blocks_read)} read"
            f"{read_ms} ({_percent(statement.hit_ratio)} hit), {size(one.shared_blocks_dirtied)} dirtied"
        )
    if one.temp_blocks_read or one.temp_blocks_written:
        yield (f"temporary files: {size(one.temp_blocks_written)} written, {size(one.temp_blocks_read)} read")
    if one.wal_bytes:
        yield f"WAL: {format_bytes(one.wal_bytes)}, {format_bytes(one.wal_bytes / one.calls)} per call"


def _add_plan(page: Page, explained: Explained) -> None:
    page.prose(
        styled(
            ("plan", "bold"),
            f" by {explained.how}, with the rights of {explained.role}; not carried out: all numbers are estimates",
        )
    )
    for note in explained.notes:
        page.prose(styled(("note: ", "yellow"), note), indent=2, hanging=2)
    for depth, node in _deep(explained.root, 0):
        share = explained.shares[node.number].own
        place = f"{node.number:>3}  {'  ' * depth}"
        room = max(page.width - len(place) - 26, 30)
        label = f"{node.subplan}: {node.label}" if node.subplan else node.label
        page.line(
            styled(
                f"{place}{_cut(visible(label), room)}",
                (f"  {_percent(share)} of cost · {plural(node.rows, 'row')}", "bold" if share >= 0.5 else "dim"),
            )
        )
    page.blank()
    for remark in explained.remarks:
        page.prose(styled((f"node {remark.number}, {remark.node}:", "bold"), f" {remark.message}"), hanging=2)


def _deep(node: Any, depth: int) -> Iterator[tuple[int, Any]]:
    yield depth, node
    for child in node.children:
        yield from _deep(child, depth + 1)


def _window_words(window: Window) -> str:
    source = "kept history" if window.source == "history" else f"{window.source}, the server's own"
    lasted = format_seconds(window.covered_s)
    clock = "%Y-%m-%d %H:%M:%S" if window.covered_s < 600 else "%Y-%m-%d %H:%M"
    begin, end = window.started_at.strftime(clock), window.ended_at.strftime(f"{clock} %Z").rstrip()
    return f"{begin} to {end}, {lasted} counted ({source})"


def _trend(statement: RankedStatement) -> str:
    before = statement.before
    if before.trend in {Trend.NEW, Trend.UNKNOWN, Trend.FEW} or before.mean_ratio is None:
        return {Trend.NEW: "new", Trend.FEW: "too few"}.get(before.trend, _NOTHING)
    if before.trend is Trend.STEADY:
        return "as before"
    return f"×{before.mean_ratio:.2g} {before.trend.value}"


def _times(ratio: float) -> str:
    return f"{ratio:,.1f} times"


def _percent(ratio: float | None) -> str:
    if ratio is None:
        return _NOTHING
    return f"{ratio:.0%}" if ratio >= 0.995 or ratio == 0 else f"{ratio:.1%}"


def _ms(milliseconds: float) -> str:
    if milliseconds >= 10_000:
        return format_seconds(milliseconds / 1000)
    digits = next((digits for digits, least in enumerate((100, 10, 1)) if milliseconds >= least), 3)
    return f"{milliseconds:,.{digits}f} ms"


def _time(milliseconds: float) -> str:
    return _ms(milliseconds) if milliseconds < 10_000 else format_seconds(milliseconds / 1000)


def _blocks(count: int, report: StatementReport) -> str:
    return format_bytes(count * report.block_bytes) if count else _NOTHING


def _right(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text


def _cut(text: str, cells: int) -> str:
    return text if cell_len(text) <= cells else set_cell_size(text, max(cells - 1, 1)).rstrip() + "…"


def _document(report: StatementReport) -> dict[str, Any]:
    ranking = report.ranking
    return {
        "target": {"alias": report.alias, "database": report.database, "server_version": report.server_version},
        "taken_at": report.taken_at.isoformat(),
        "window": _window_document(report.window),
        "baseline": report.baseline and _window_document(report.baseline),
        "baseline_unknown": report.baseline_unknown,
        "by": ranking.by,
        "block_bytes": report.block_bytes,
        "totals": _totals(ranking),
        "statements": [_statement_document(one) for one in ranking.statements],
        "plan": report.explained and _plan_document(report.explained),
        "notes": list(report.notes),
    }


def _totals(ranking: Ranking) -> dict[str, Any]:
    return {
        "statements": ranking.count,
        "calls": ranking.calls,
        "total_ms": ranking.total_ms,
        "nested_statements": ranking.nested_count,
    }


def _window_document(window: Window) -> dict[str, Any]:
    return {
        "from": window.started_at.isoformat(),
        "to": window.ended_at.isoformat(),
        "covered_s": window.covered_s,
        "source": window.source,
        "breaks": list(window.breaks),
        "is_lower_bound": window.is_lower_bound,
    }


def _statement_document(statement: RankedStatement) -> dict[str, Any]:
    one, before = statement.activity, statement.before
    return {
        "rank": statement.rank,
        "query_id": str(one.query_id),
        "is_top_level": one.is_top_level,
        "text": one.text,
        "models": list(statement.models),
        "tables": list(statement.tables),
        "share": statement.share,
        "time_share": statement.time_share,
        "calls": one.calls,
        "rows": one.rows,
        "total_ms": one.total_ms,
        "mean_ms": one.mean_ms,
        "max_ms": one.max_ms,
        "p95_ms": statement.p95_ms,
        "p95_unknown": statement.p95_unknown,
        "rows_per_call": statement.rows_per_call,
        "shared_blocks_hit": one.shared_blocks_hit,
        "shared_blocks_read": one.shared_blocks_read,
        "shared_blocks_dirtied": one.shared_blocks_dirtied,
        "temp_blocks_read": one.temp_blocks_read,
        "temp_blocks_written": one.temp_blocks_written,
        "block_read_ms": one.block_read_ms,
        "wal_bytes": one.wal_bytes,
        "before": {
            "trend": before.trend,
            "mean_ms": before.mean_ms,
            "calls": before.calls,
            "mean_ratio": before.mean_ratio,
            "calls_per_hour_ratio": before.calls_per_hour_ratio,
        },
    }


def _plan_document(explained: Explained) -> dict[str, Any]:
    return {
        "how": explained.how,
        "role": explained.role,
        "notes": list(explained.notes),
        "nodes": [
            {
                "number": node.number,
                "depth": depth,
                "label": node.label,
                "subplan": node.subplan,
                "rows": node.rows,
                "width_bytes": node.width,
                "startup_cost": node.startup_cost,
                "total_cost": node.total_cost,
                "own_cost_share": explained.shares[node.number].own,
            }
            for depth, node in _deep(explained.root, 0)
        ],
        "remarks": [
            {
                "kind": remark.kind,
                "node": remark.number,
                "label": remark.node,
                "message": remark.message,
                "evidence": dict(remark.evidence),
            }
            for remark in explained.remarks
        ],
    }
