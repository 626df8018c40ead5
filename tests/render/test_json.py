from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from jsonschema import ValidationError

from dbops.findings.baseline import Standing
from dbops.findings.finding import Basis, Confidence, Kind, Owner, Ownership, Severity, Tag
from dbops.findings.ignores import Ignore
from dbops.findings.report import CheckResult, Ignored, Outcome, Report
from dbops.render.json import render
from tests.render.reports import (
    a_finding,
    a_redundant_index,
    a_report,
    a_target,
    against_a_baseline,
    an_exhausted_sequence,
    an_unindexed_foreign_key,
)
from tests.render.schemas import schema, valid_dbanalyze, validator

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def rendered(*reports: Report) -> dict[str, Any]:
    return valid_dbanalyze(render(reports, generated_at=NOW, version="0.1.0"))


def test_has_every_key_that_was_promised() -> None:
    finding = an_unindexed_foreign_key(rolled_up=("public.task_2024.fk",), confidence=Confidence.LOW)
    report = a_report(finding, skipped={"lagging_sequence": "no SELECT on it: public.a_id_seq"})

    document = rendered(report)

    assert document["schema"] == 1
    assert document["tool"] == {"name": "dbops", "version": "0.1.0"}
    assert document["generated_at"] == "2026-11-20T12:00:00+00:00"
    [one] = document["reports"]
    promised = {"alias": "default", "database": "shop", "server_version": "18.6", "is_standby": False, "window": None}
    assert promised.items() <= one["target"].items()
    assert one["score"]["value"] == 98
    assert one["score"]["capped_by"] is None
    assert one["score"]["terms"] == [{"check": "unindexed_foreign_key", "points": 2.5}]
    assert {"check": "lagging_sequence", "outcome": "skipped", "reason": "no SELECT on it: public.a_id_seq"} in [
        {key: result[key] for key in ("check", "outcome", "reason")} for result in one["checks"]
    ]
    assert one["findings"] == [
        {
            "check": "unindexed_foreign_key",
            "target": "public.task.task_user_fk",
            "kind": "constraint",
            "severity": "warning",
            "confidence": "low",
            "basis": "structural",
            "ownership": "mine",
            "model": "tasks.Task",
            "field": "user",
            "migration": "0003_task_user",
            "message": "Deleting one of 10,000 users scans 100,000 tasks (18 MB) under lock.",
            "evidence": {"table_size_bytes": 18_000_000, "rows": 100_000},
            "fix": {
                "sql": ["CREATE INDEX CONCURRENTLY task_user_idx ON public.task (user_id);"],
                "undo": ["DROP INDEX CONCURRENTLY public.task_user_idx;"],
                "operation": 'AddIndexConcurrently("task", models.Index(fields=["user"], name="task_user_idx"))',
                "in_transaction": False,
                "caution": None,
            },
            "fingerprint": finding.fingerprint("default"),
            "first_seen_at": None,
            "baseline": None,
            "rolled_up": ["public.task_2024.fk"],
        }
    ]


def test_a_finding_keeps_its_fingerprint_when_its_numbers_change() -> None:
    before, after = (
        rendered(a_report(a_finding(message=f"{rows} rows", evidence={"rows": rows}, severity=severity)))
        for rows, severity in ((1, Severity.INFO), (10**9, Severity.CRITICAL))
    )

    assert before["reports"][0]["findings"][0]["fingerprint"] == after["reports"][0]["findings"][0]["fingerprint"]


def test_nothing_looked_at_has_no_score_rather_than_a_perfect_one() -> None:
    skipped = CheckResult(check="duplicate_index", tag=Tag.STRUCTURAL, outcome=Outcome.SKIPPED, reason="no rights")

    [report] = rendered(a_report(results=(skipped,)))["reports"]

    assert report["score"] == {"value": None, "capped_by": None, "terms": [], "now": None, "wear": None}


def test_the_score_is_the_lower_of_now_and_wear_and_both_are_given() -> None:
    [report] = rendered(a_report(an_exhausted_sequence(is_red=True), an_unindexed_foreign_key()))["reports"]

    assert report["score"]["value"] == report["score"]["now"]["value"] == 30
    assert report["score"]["capped_by"] == "exhausted_sequence"
    assert report["score"]["wear"] == {
        "value": 95,
        "capped_by": None,
        "terms": [{"check": "unindexed_foreign_key", "points": 5.0}],
    }


def test_ignored_findings_are_listed_apart_with_reason_and_end() -> None:
    finding = a_redundant_index()
    ignored = Ignored(finding=finding, reason="monthly job", until="2027-03-01")

    [report] = rendered(a_report(ignored=(ignored,)))["reports"]

    assert report["findings"] == []
    assert report["ignored"] == [
        {
            "fingerprint": finding.fingerprint("default"),
            "check": "redundant_index",
            "target": "public.task_0_idx",
            "reason": "monthly job",
            "until": "2027-03-01",
        }
    ]


def test_an_ignore_that_expired_and_one_that_nothing_needs_are_named_apart() -> None:
    finding = a_redundant_index()
    expired = Ignored(finding=finding, reason="monthly job", until="2026-03-01")
    unused = Ignore(check="unlogged_table", target="public.gone_*", reason="old", until=date(2027, 3, 1))

    text = render([a_report(finding, expired=(expired,))], generated_at=NOW, version="0.1.0", unused=[unused])

    document = valid_dbanalyze(text)
    assert [one["target"] for one in document["reports"][0]["findings"]] == ["public.task_0_idx"]
    assert [(one["target"], one["until"]) for one in document["ignores"]["expired"]] == [
        ("public.task_0_idx", "2026-03-01")
    ]
    assert document["ignores"]["unused"] == [
        {"check": "unlogged_table", "target": "public.gone_*", "reason": "old", "until": "2027-03-01"}
    ]


def test_a_baseline_is_told_finding_by_finding_and_what_is_gone_from_it() -> None:
    report = against_a_baseline()

    [one] = rendered(report)["reports"]

    assert {found["target"]: found["baseline"] for found in one["findings"]} == {
        "public.new": "new",
        "public.worse": "worse",
        "public.known": "known",
    }
    assert [(entry["check"], entry["target"], entry["severity"]) for entry in one["gone"]] == [
        ("duplicate_index", "public.gone", "warning")
    ]
    assert rendered(a_report())["reports"][0]["gone"] is None


def test_a_look_that_ended_early_or_saw_a_lock_says_so() -> None:
    [report] = rendered(a_report(interrupted="the connection was lost", unseen=("public.big is locked",)))["reports"]

    assert report["interrupted"] == "the connection was lost"
    assert report["unseen"] == ["public.big is locked"]


def test_a_window_of_counters_is_given_with_its_source() -> None:
    window = (datetime(2026, 10, 1, tzinfo=UTC), NOW, "pg_stat_database")

    [report] = rendered(a_report(target=a_target(window=window)))["reports"]

    assert report["target"]["window"] == {
        "from": "2026-10-01T00:00:00+00:00",
        "to": "2026-11-20T12:00:00+00:00",
        "source": "pg_stat_database",
    }


def test_several_databases_are_several_reports_in_their_order() -> None:
    one, other = a_report(), a_report(target=a_target(alias=None, database="warehouse"))

    document = rendered(one, other)

    assert [(report["target"]["alias"], report["target"]["database"]) for report in document["reports"]] == [
        ("default", "shop"),
        (None, "warehouse"),
    ]


def test_odd_names_survive_and_the_text_is_ascii() -> None:
    name = 'public."Größe\n\x1b[31m"'
    text = render([a_report(a_finding(name))], generated_at=NOW, version="0.1.0")

    assert text.isascii()
    assert json.loads(text)["reports"][0]["findings"][0]["target"] == name


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("ownership", Ownership)
def test_every_kind_and_ownership_is_in_the_schema(kind: Kind, ownership: Ownership) -> None:
    rendered(a_report(a_finding(kind=kind, owner=Owner(ownership=ownership))))


def test_the_schema_has_no_word_that_the_code_does_not_have() -> None:
    definitions = schema("dbanalyze")["$defs"]
    finding = definitions["finding"]["properties"]

    for key, enumeration in (
        ("kind", Kind),
        ("severity", Severity),
        ("confidence", Confidence),
        ("basis", Basis),
        ("ownership", Ownership),
    ):
        assert set(finding[key]["enum"]) == set(enumeration), key
    assert set(finding["baseline"]["enum"]) == {*Standing, None}
    assert set(definitions["result"]["properties"]["outcome"]["enum"]) == set(Outcome)
    assert set(definitions["result"]["properties"]["tag"]["enum"]) == set(Tag)


@pytest.mark.parametrize("path", [(), ("target",), ("score",), ("findings", 0), ("findings", 0, "fix")])
def test_the_schema_refuses_an_unknown_key_and_a_missing_one(path: tuple[Any, ...]) -> None:
    published = validator("dbanalyze")
    for spoil in ("add", "remove"):
        document = rendered(a_report(an_unindexed_foreign_key()))
        place = document["reports"][0]
        for step in path:
            place = place[step]
        if spoil == "add":
            place["surprise"] = 1
        else:
            place.popitem()

        with pytest.raises(ValidationError):
            published.validate(document)
