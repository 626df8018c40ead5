from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.cells import cell_len

from dbops.findings.changes import ChangeTypes, ColumnType, Statements
from dbops.findings.finding import Basis, Confidence, Kind, Owner, Ownership, Severity, Tag
from dbops.findings.ignores import Ignore
from dbops.findings.report import CheckResult, Ignored, Outcome, Report
from dbops.render.decisions import render_unused
from dbops.render.text import render
from tests.render.reports import (
    CHECKS,
    a_finding,
    a_redundant_index,
    a_report,
    a_target,
    against_a_baseline,
    an_exhausted_sequence,
    an_unindexed_foreign_key,
)

CONTRIB = Owner(ownership=Ownership.CONTRIB, app_label="auth", model="auth.Permission", field="content_type")
WIDENING = ColumnType(schema="public", table="t", column="id", old_type="integer", new_type="bigint")


def lines(report: Report, **options: Any) -> list[str]:
    return render(report, **options).splitlines()


def flat(report: Report, **options: Any) -> str:
    """The text without its line breaks: where prose wraps is not what is tested."""
    return " ".join(render(report, **options).split())


def many() -> Report:
    """A large project: 300 findings of five checks."""
    findings = []
    for number in range(60):
        findings += [
            an_unindexed_foreign_key(number),
            a_redundant_index(number),
            a_finding(f"public.t{number}", "missing_primary_key", kind=Kind.TABLE, message="It has no primary key."),
            an_exhausted_sequence(message=f"{number} % of integer is used.", evidence={"used_ratio": number / 100}),
            a_finding(f"public.t{number}.at", "unsuitable_column_type", kind=Kind.COLUMN, severity=Severity.INFO),
        ]
    return a_report(*findings, target=a_target(table_count=214, size_bytes=3_300_000_000))


# what it says of a database


def test_the_first_line_says_what_was_looked_at() -> None:
    first = lines(a_report(), width=200)[0]

    assert first == "default (shop) · PostgreSQL 18.6 · 14 tables, 9.4 MB · looked for 0.4 s · 2026-11-20 10:37 UTC"


def test_a_dsns_database_goes_by_its_name_and_a_standby_is_called_one() -> None:
    window = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC), "pg_stat_database")
    first = lines(a_report(target=a_target(alias=None, is_standby=True, window=window)), width=200)[0]

    assert first.startswith("shop · PostgreSQL 18.6, a standby · ")
    assert "counters of 50 d (pg_stat_database)" in first


def test_a_healthy_database_reads_as_good_news_with_what_was_looked_at() -> None:
    text = render(a_report(), width=100)

    assert "Nothing wrong was found." in text
    assert "score 100/100" in text
    assert "12 checks: 12 fine" in text
    assert all(check in text for check in CHECKS)


def test_good_news_with_something_unseen_says_so_at_once_and_names_the_remedy() -> None:
    reason = "no SELECT on it; GRANT SELECT ON it TO app: public.a_id_seq"
    report = a_report(skipped={"lagging_sequence": reason, "exhausted_sequence": reason})

    text = flat(report)

    assert "Nothing wrong was found in what could be seen. Not all could be" in text
    assert "Nothing wrong was found. " not in text
    assert f"skipped exhausted_sequence, lagging_sequence: {reason}" in text
    assert "10 fine, 2 skipped" in text


def test_when_nothing_could_be_looked_at_it_does_not_read_as_healthy() -> None:
    skipped = tuple(
        CheckResult(check=check, tag=Tag.STRUCTURAL, outcome=Outcome.SKIPPED, reason="tables: permission denied")
        for check in CHECKS
    )
    text = flat(a_report(results=skipped))

    assert "NOTHING WAS LOOKED AT" in text
    assert "no score" in text
    assert "100" not in text
    assert "Nothing wrong" not in text
    assert "tables: permission denied" in text


def test_a_database_without_tables_is_questioned() -> None:
    assert "There is no table in this database" in flat(a_report(target=a_target(table_count=0)))


def test_an_interrupted_look_is_said_before_and_after_the_findings() -> None:
    report = a_report(an_unindexed_foreign_key(), interrupted="the connection was lost: EOF", unseen=("public.big",))

    text = flat(report)

    assert text.index("INTERRUPTED: the connection was lost: EOF") < text.index("unindexed_foreign_key")
    assert "score 95/100 of the part that was seen: INTERRUPTED" in text


def test_an_interrupted_look_without_findings_is_no_good_news() -> None:
    text = flat(a_report(interrupted="the connection was lost"))

    assert "Nothing wrong was found. " not in text
    assert "Not all could be: see below." in text
    assert "score 100/100 of the part that was seen: INTERRUPTED" in text


def test_a_crashed_check_is_shown_with_its_reason() -> None:
    crashed = CheckResult(
        check="duplicate_index", tag=Tag.STRUCTURAL, outcome=Outcome.CRASHED, reason="KeyError: a defect of dbops"
    )
    text = flat(a_report(results=(*a_report().results[:1], crashed)))

    assert "crashed duplicate_index: KeyError: a defect of dbops" in text
    assert "1 fine, 1 crashed" in text


def test_what_a_check_could_not_see_beside_what_it_found_is_shown() -> None:
    result = CheckResult(
        check="exhausted_sequence", tag=Tag.LIVE, outcome=Outcome.FOUND, reason="no SELECT on it: public.x_seq"
    )
    text = flat(a_report(an_exhausted_sequence(), results=(result,)))

    assert "partly exhausted_sequence: no SELECT on it: public.x_seq" in text


def test_the_grants_that_were_missing_are_there_to_paste_each_once() -> None:
    reason = "no SELECT on it: public.a_id_seq"
    grant = "GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"
    grants = {"lagging_sequence": [grant], "exhausted_sequence": [grant], "duplicate_index": ["GRANT all TO {role};"]}
    skipped = {"lagging_sequence": reason, "exhausted_sequence": reason, "duplicate_index": "the connection was lost"}
    report = a_report(skipped=skipped, target=a_target(role="Web App"))

    text = flat(report, grants=grants)

    assert text.count('grant GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO "Web App"; -- so for every schema') == 1
    assert "GRANT all" not in text


def test_objects_that_were_not_seen_are_listed_and_many_are_left_at_a_count() -> None:
    report = a_report(unseen=tuple(f"public.t{number} is locked" for number in range(9)))

    assert "unseen public.t0 is locked, public.t1 is locked" in flat(report)
    assert "and 4 more" in flat(report)
    assert "public.t8 is locked" in flat(report, verbosity=2)


def test_the_limits_of_the_look_are_said() -> None:
    assert lines(a_report(), scope="only findings of shop")[1].strip() == "only findings of shop"


# the score


def test_both_scores_are_explained_term_by_term() -> None:
    text = flat(a_report(an_exhausted_sequence(), an_unindexed_foreign_key(), an_unindexed_foreign_key(2)))

    assert "score 80/100, the lower of" in text
    assert "now 80 the running database: 100 − 20 exhausted_sequence" in text
    assert "wear 90 the schema and settings: 100 − 10 unindexed_foreign_key" in text


def test_half_points_and_the_cap_are_shown() -> None:
    text = flat(a_report(an_exhausted_sequence(is_red=True), an_unindexed_foreign_key(confidence=Confidence.LOW)))

    assert "now 30 the running database: 100 − 20 exhausted_sequence (capped at 30 by exhausted_sequence)" in text
    assert "100 − 2.5 unindexed_foreign_key" in text


def test_a_score_of_checks_that_did_not_look_is_not_made_up() -> None:
    structural = tuple(result for result in a_report().results if result.tag is Tag.STRUCTURAL)

    text = flat(a_report(an_unindexed_foreign_key(), results=structural))

    assert "now - the running database was not looked at" in text
    assert "the lower of" not in text


# findings


def test_a_finding_names_object_and_owner_and_says_why_and_what_to_do() -> None:
    text = lines(a_report(an_unindexed_foreign_key()), width=100)

    start = text.index("WARNING   unindexed_foreign_key  public.task.task_user_fk   tasks.Task.user (0003_task_user)")
    assert text[start + 1 : start + 6] == [
        "  Deleting one of 10,000 users scans 100,000 tasks (18 MB) under lock.",
        "  fix in a migration of tasks with atomic = False:",
        '      AddIndexConcurrently("task", models.Index(fields=["user"], name="task_user_idx"))',
        "  or in SQL, outside a transaction:",
        "      CREATE INDEX CONCURRENTLY task_user_idx ON public.task (user_id);",
    ]


def test_the_worst_comes_first() -> None:
    text = render(a_report(a_redundant_index(), an_unindexed_foreign_key(), an_exhausted_sequence()))

    assert text.index("CRITICAL") < text.index("WARNING") < text.index("INFO")
    assert "1 critical, 1 warning, 1 remark" in text


def test_the_caution_stands_before_the_code() -> None:
    fix = ChangeTypes(columns=(WIDENING,)).fix(caution="rewrites 2.1 GB under an exclusive lock")
    text = render(a_report(an_exhausted_sequence(fix=fix)))

    assert text.index("caution: rewrites 2.1 GB") < text.index("ALTER TABLE")
    assert "  fix in SQL:\n      ALTER TABLE public.t ALTER COLUMN id TYPE bigint;\n" in text


def test_without_a_fix_it_says_where_to_read_what_to_do() -> None:
    assert "what to do: manage.py dbanalyze --explain exhausted_sequence" in render(a_report(an_exhausted_sequence()))


def test_doubt_is_said() -> None:
    finding = a_finding(confidence=Confidence.LOW, basis=Basis.ESTIMATED)

    assert "under lock. (low confidence, estimated)" in flat(a_report(finding))


def test_tables_without_a_model_are_marked_where_a_project_was_looked_at() -> None:
    finding = a_finding(owner=Owner(ownership=Ownership.UNMANAGED))

    assert "[no model]" in render(a_report(finding))
    assert "[no model]" not in render(a_report(finding, target=a_target(alias=None)))
    read_only = a_finding(owner=Owner(ownership=Ownership.UNMANAGED, app_label="shop", model="shop.Report"))
    assert "shop.Report [managed = False]" in render(a_report(read_only))


def test_what_a_finding_stands_for_is_named() -> None:
    finding = a_redundant_index(rolled_up=("public.a", "public.b", "public.c", "public.d"))

    assert "the same: public.a, public.b, public.c and 1 more" in flat(a_report(finding))
    assert "the same: public.a, public.b, public.c and public.d" in flat(a_report(finding), verbosity=2)


def test_many_findings_of_a_check_read_as_one_block_with_their_sum_and_the_worst() -> None:
    findings = [a_redundant_index(number, severity=Severity.WARNING) for number in range(27)]
    text = render(a_report(*findings), width=120)

    assert "WARNING   redundant_index  27 indexes · 360 MB · 378,000 index writes since the statistics began\n" in text
    assert [number for number in range(27) if f"public.task_{number}_idx " in text] == [24, 25, 26]
    assert text.index("public.task_26_idx") < text.index("public.task_25_idx")
    assert text.count("Every query it serves is served by public.task_a_b_idx too.") == 1
    assert "24 more: add -v --only redundant_index" in text


def test_a_rolled_up_finding_counts_for_all_it_stands_for() -> None:
    findings = [a_redundant_index(number, rolled_up=("public.x", "public.y")) for number in range(4)]

    assert "12 indexes" in flat(a_report(*findings))


def test_different_messages_in_a_block_are_each_shown() -> None:
    findings = [an_exhausted_sequence(message=f"{number} % is used", evidence={}) for number in range(5)]

    assert [number for number in range(5) if f"{number} % is used" in flat(a_report(*findings))] == [0, 1, 2]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_large_project_gets_a_page_and_not_a_wall(width: int) -> None:
    text = lines(many(), width=width)

    assert len(text) < 75
    assert any("exhausted_sequence  60 sequences" in line for line in text)


def test_everything_is_there_when_asked_for() -> None:
    text = render(many(), verbosity=2)

    assert all(finding.target.name in text for finding in many().findings)
    assert "more: add" not in text
    assert "undo in SQL:" in text
    assert "fingerprint" not in text


def test_evidence_and_fingerprint_are_there_when_asked_for_twice() -> None:
    finding = an_unindexed_foreign_key()
    text = flat(a_report(finding), verbosity=3)

    assert "table_size_bytes 18000000, rows 100000" in text
    assert f"fingerprint {finding.fingerprint('default')}" in text


def test_a_very_long_fix_is_cut_where_it_says_so() -> None:
    fix = Statements(sql=tuple(f"DROP INDEX public.index_{number};" for number in range(50))).fix()
    report = a_report(an_unindexed_foreign_key(fix=fix))

    assert "-- 42 more statements: -v" in render(report)
    assert render(report).count("DROP INDEX") == 8
    assert render(report, verbosity=2).count("DROP INDEX") == 50


# what is left at a count


def test_remarks_on_contrib_tables_are_one_line_until_asked_for() -> None:
    report = a_report(*[a_redundant_index(number, owner=CONTRIB) for number in range(4)])

    assert "public.task_0_idx" not in flat(report)
    assert "Nothing wrong was found." in flat(report)
    assert "others 4 remarks on tables of contrib or third-party apps (redundant_index 4): -v" in flat(report)
    shown = flat(report, verbosity=2)
    assert "On tables of contrib and third-party apps" in shown
    assert "public.task_0_idx auth.Permission.content_type [contrib]" in shown


def test_an_emergency_on_a_contrib_table_is_shown() -> None:
    assert "CRITICAL  exhausted_sequence" in render(a_report(an_exhausted_sequence(owner=CONTRIB)))


def test_ignored_findings_are_counted_and_listed_with_reason_and_end_when_asked_for() -> None:
    found = CheckResult(check="redundant_index", tag=Tag.STRUCTURAL, outcome=Outcome.FOUND)
    report = a_report(
        results=(found,), ignored=(Ignored(finding=a_redundant_index(), reason="monthly job", until="2027-03-01"),)
    )

    assert "1 finding, as somebody decided: -v says why" in flat(report)
    assert "1 check: 1 found only what is left out here" in flat(report)
    assert "redundant_index public.task_0_idx: monthly job (until 2027-03-01)" in flat(report, verbosity=2)


# terminals


def reports() -> dict[str, Report]:
    return {"healthy": a_report(), "few": a_report(an_unindexed_foreign_key(), a_redundant_index()), "many": many()}


@pytest.mark.parametrize("verbosity", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["healthy", "few", "many"])
def test_only_code_and_names_are_wider_than_the_terminal(name: str, verbosity: int) -> None:
    for line in lines(reports()[name], width=80, verbosity=verbosity):
        is_code = line.startswith("      ") and ("INDEX" in line or "Index" in line)
        assert cell_len(line) <= 80 or is_code, line


@pytest.mark.parametrize("name", ["healthy", "few", "many"])
def test_colour_changes_nothing_but_colour(name: str) -> None:
    plain, coloured = (render(reports()[name], colour=colour) for colour in (False, True))

    assert "\x1b" not in plain
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@pytest.mark.parametrize("name", ["healthy", "few", "many"])
def test_an_ascii_terminal_can_print_it(name: str) -> None:
    text = render(reports()[name], encoding="ascii")

    assert text.isascii()
    assert "\\u" not in text
    assert "\\x" not in text


def test_no_line_ends_in_a_blank() -> None:
    for report in reports().values():
        assert not [line for line in lines(report, verbosity=3) if line != line.rstrip()]


# what was decided


def test_known_findings_are_counted_and_folded_and_what_is_new_leads() -> None:
    report = against_a_baseline()

    text, everything = flat(report), flat(report, verbosity=2)

    assert "2 warnings, new or worse" in text
    assert "public.new" in text
    assert "it is worse than in the baseline" in text
    assert "known 1 finding that the baseline has: -v" in text
    assert "public.known" not in text
    assert "gone duplicate_index public.gone: remove from the baseline" in text
    assert "public.known" in everything.partition("Known, for the baseline has them:")[2]


def test_only_known_findings_are_nothing_new_and_not_nothing_wrong() -> None:
    compared = against_a_baseline()
    report = replace(compared, findings=compared.findings[-1:])

    assert "Nothing new was found." in flat(report)
    assert "Nothing new was found in what could be seen." in flat(replace(report, unseen=("public.a is locked",)))
    assert "score 95/100" in flat(report)


def test_a_finding_whose_ignore_expired_says_so() -> None:
    finding = an_unindexed_foreign_key()
    report = a_report(finding, expired=(Ignored(finding=finding, reason="monthly job", until="2026-01-01"),))

    text = flat(report)

    assert "its ignore expired on 2026-01-01: monthly job" in text
    assert "expired the ignore of unindexed_foreign_key public.task.task_user_fk ended on 2026-01-01" in text


def test_unused_ignores_follow_the_reports_in_any_width() -> None:
    ignore = Ignore(check="unlogged_table", target="public.gone_*", reason="a reason that goes on for quite a while")

    for width in (40, 80, 200):
        text = render_unused([ignore], width=width)
        assert " ".join(text.split()) == (
            "unused the ignore of unlogged_table on public.gone_* matched nothing: take it out "
            "(a reason that goes on for quite a while)"
        )
        assert max(map(cell_len, text.splitlines())) <= width
