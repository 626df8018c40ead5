"""Statements as a person reads them: a table where it fits, lines where it does not, and every odd text printable."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len

from dbops.findings.statement_ranking import By, StatementReport, rank
from dbops.render.queries import render_json, render_text
from tests.activity_builders import NOON, a_statement, a_window
from tests.render.schemas import validator


def a_report(*statements: Any, by: By = By.TOTAL, earlier: Any = None, **values: Any) -> StatementReport:
    window = a_window()[0]
    baseline = None if earlier is None else a_window(hours=168)[0]
    return StatementReport(
        alias="default",
        database="shop",
        server_version="18.1",
        taken_at=NOON,
        window=window,
        baseline=baseline,
        baseline_unknown=None if baseline else "nothing is known of the time before",
        ranking=rank(statements, window, earlier or (), baseline, by=by),
        block_bytes=8192,
        **values,
    )


SLOW = a_statement(1, mean_ms=20, calls=100, shared_blocks_hit=900, shared_blocks_read=100, temp_blocks_written=50)
QUICK = a_statement(2, text="UPDATE task SET title = $1", mean_ms=1, calls=1000, wal_bytes=10_000)


def test_a_table_where_it_fits_and_lines_where_it_does_not() -> None:
    report = a_report(SLOW, QUICK, earlier=[a_statement(1, mean_ms=5)])
    wide = render_text([report], width=120)
    header = next(line for line in wide.splitlines() if line.startswith("#"))
    assert header.split() == "# time total calls mean rows/call hit read temp WAL before".split()
    assert "×4 slower" in wide
    assert "       new\n" in wide
    narrow = render_text([report], width=50)
    assert "66.7% of the time" in narrow
    assert max(map(cell_len, narrow.splitlines()[:-1])) <= 80
    assert "before: ×4 slower" in narrow


def test_p95_is_shown_where_it_is_known() -> None:
    report = a_report(SLOW)
    [one] = report.ranking.statements
    assert "p95" not in render_text([report], width=120)
    known = replace(report, ranking=replace(report.ranking, statements=(replace(one, p95_ms=42.0, p95_unknown=None),)))
    assert "42.0 ms" in render_text([known], width=120)
    assert "p95 42.0 ms" in render_text([replace(known, is_detailed=True)])


@pytest.mark.parametrize("by", By)
@pytest.mark.parametrize("statements", [(), (SLOW, QUICK)])
def test_every_order_has_its_text_and_its_document(by: By, statements: Any) -> None:
    report = a_report(*statements, by=by)
    assert render_text([report], width=60)
    document = json.loads(render_json([report], generated_at=NOON, version="1"))
    validator("dbqueries").validate(document)
    assert document["databases"][0]["by"] == by


def test_nothing_that_a_terminal_obeys_comes_out() -> None:
    text = render_text([a_report(a_statement(text="SELECT \x1b[31m\u202e" + "漢" * 200))], width=60, encoding="ascii")
    assert "\x1b" not in text
    assert text.isascii()


def test_colours_only_where_they_are_wanted() -> None:
    report = a_report(SLOW, earlier=[a_statement(1, mean_ms=5)])
    assert "\x1b[" in render_text([report], colour=True)
    assert "\x1b[" not in render_text([report])
