"""SARIF is held against the standard's own JSON Schema, and against what GitHub asks beyond it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from dbops.analysis.registry import checks
from dbops.findings.finding import Kind, Owner, Severity
from dbops.findings.fix import Fix
from dbops.findings.ignores import Ignore
from dbops.findings.report import Ignored, Outcome, Report
from dbops.findings.source import Place
from dbops.render.sarif import render
from tests.render.odd import NAMES, every_case, partly_seen, results, source
from tests.render.reports import (
    a_finding,
    a_redundant_index,
    a_report,
    a_target,
    against_a_baseline,
    an_exhausted_sequence,
    an_unindexed_foreign_key,
)

SCHEMA = json.loads((Path(__file__).parent / "standards" / "sarif-2.1.0.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())
FALLBACK = Place(path="config/settings.py")
CASES = every_case()


def rendered(*reports: Report, **values: Any) -> dict[str, Any]:
    text = render(reports, version="0.1.0", checks=checks(), source=source, fallback=FALLBACK, **values)
    assert text.isascii()
    document: dict[str, Any] = json.loads(text)
    VALIDATOR.validate(document)
    return document


def run(*reports: Report, **values: Any) -> dict[str, Any]:
    [one] = rendered(*reports, **values)["runs"]
    return dict(one)


def notifications(one: dict[str, Any]) -> list[tuple[str, str]]:
    return [(note["level"], note["message"]["text"]) for note in one["invocations"][0]["toolExecutionNotifications"]]


def test_the_schema_is_one_that_refuses() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    document = rendered(a_report(an_unindexed_foreign_key()))
    document["runs"][0]["results"][0]["level"] = "bad"

    with pytest.raises(ValidationError):
        VALIDATOR.validate(document)


@pytest.mark.parametrize("case", CASES)
def test_it_is_valid_and_as_github_wants_it(case: str) -> None:
    """Every result has a file with a relative path, and a fingerprint of its own; runs are told apart."""
    document = rendered(*CASES[case], scope="only structural checks")

    ids = [one["automationDetails"]["id"] for one in document["runs"]]
    assert len(set(ids)) == len(ids) == len(CASES[case])
    for one in document["runs"]:
        rules = one["tool"]["driver"]["rules"]
        for result in one["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            assert uri.isascii()
            assert not uri.startswith(("/", "file:"))
            assert " " not in uri
        prints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in one["results"]]
        assert len(set(prints)) == len(prints)


@pytest.mark.parametrize(
    ("severity", "level"), [(Severity.CRITICAL, "error"), (Severity.WARNING, "warning"), (Severity.INFO, "note")]
)
def test_a_severity_is_a_level(severity: Severity, level: str) -> None:
    assert run(a_report(a_finding(severity=severity)))["results"][0]["level"] == level


def test_a_finding_is_a_result_with_its_object_its_files_and_its_fix() -> None:
    finding = an_unindexed_foreign_key()

    [result] = run(a_report(finding))["results"]

    assert result["ruleId"] == "unindexed_foreign_key"
    [location] = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "shop/model%20files/t%C3%A4sk.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 7},
    }
    assert location["logicalLocations"] == [{"fullyQualifiedName": "public.task.task_user_fk", "kind": "constraint"}]
    [made] = result["relatedLocations"]
    assert made["physicalLocation"]["artifactLocation"]["uri"] == "shop/migrations/0003_task_user.py"
    assert result["partialFingerprints"]["dbops/v1"] == finding.fingerprint("default")
    assert finding.message in result["message"]["text"]
    assert "CREATE INDEX CONCURRENTLY task_user_idx ON public.task (user_id);" in result["message"]["text"]
    assert "```sql\nCREATE INDEX" in result["message"]["markdown"]
    assert result["properties"]["evidence"] == {"table_size_bytes": 18_000_000, "rows": 100_000}
    assert "fixes" not in result


def test_its_markdown_says_no_less_than_its_text() -> None:
    costly = Fix(sql=tuple(f"DROP INDEX i{number};" for number in range(30)), caution="nobody can read it meanwhile")
    findings = (
        a_finding("public.task", "duplicate_index", fix=costly, rolled_up=("public.other",)),
        a_finding("public.user", "missing_primary_key", fix=None),
    )
    large, bare = (result["message"]["markdown"] for result in run(a_report(*findings))["results"])
    assert "nobody can read it meanwhile" in large
    assert "public.other" in large
    assert large.count("DROP INDEX") == 20
    assert "10 more statements" in large
    assert "manage.py dbanalyze --explain missing_primary_key" in bare


def test_what_lies_in_no_file_is_shown_at_the_settings() -> None:
    finding = a_finding("work_mem", "missing_timeouts", kind=Kind.SETTING, owner=Owner())

    [result] = run(a_report(finding, results=results(missing_timeouts=(Outcome.FOUND, None))))["results"]

    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "config/settings.py"
    assert "relatedLocations" not in result


def test_every_check_is_a_rule_with_its_page() -> None:
    everything = results(**dict.fromkeys(checks(), (Outcome.OK, None)))

    rules = run(a_report(results=everything))["tool"]["driver"]["rules"]

    assert [rule["id"] for rule in rules] == list(checks())
    for rule in rules:
        check = checks()[rule["id"]]
        assert rule["shortDescription"]["text"] == f"{check.summary}."
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert "\n" not in rule["fullDescription"]["text"]
        assert check.remedy in rule["help"]["markdown"]
        assert rule["help"]["text"]
        assert "helpUri" not in rule


def test_what_was_not_seen_is_told_and_a_crash_is_no_success() -> None:
    one = run(partly_seen())

    assert one["invocations"][0]["executionSuccessful"] is False
    assert notifications(one) == [
        ("error", "crashed: KeyError: a defect"),
        ("warning", "skipped: no SELECT on it: public.a"),
        ("warning", "saw only a part: no SELECT on it: public.b"),
        ("warning", "public.big is locked by another session"),
    ]
    first = one["invocations"][0]["toolExecutionNotifications"][0]
    assert first["associatedRule"] == {"id": "duplicate_index", "index": 0}


def test_an_interruption_a_limit_and_an_unused_ignore_are_told() -> None:
    unused = Ignore(check="unlogged_table", target="public.gone_*", reason="old")

    one = run(a_report(interrupted="the connection was lost"), scope="only structural checks", unused=[unused])

    assert one["invocations"][0]["executionSuccessful"] is False
    told = notifications(one)
    assert told[0] == ("error", "interrupted, so only a part was looked at: the connection was lost")
    assert told[1] == ("note", "limited to only structural checks")
    assert "unlogged_table on public.gone_* matched nothing" in told[2][1]


def test_all_is_well_when_nothing_was_found() -> None:
    one = run(a_report())

    assert one["results"] == []
    assert one["invocations"][0]["executionSuccessful"] is True
    assert notifications(one) == []


def test_an_ignored_finding_is_suppressed_with_its_reason() -> None:
    ignored = Ignored(finding=a_redundant_index(), reason="monthly job", until="2027-03-01")

    found, aside = run(a_report(an_exhausted_sequence(), ignored=(ignored,)))["results"]

    assert found["suppressions"] == []
    assert aside["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "monthly job (until 2027-03-01)"}
    ]
    assert "baselineState" not in found


def test_a_baseline_gives_each_result_its_state_and_what_is_gone_is_no_result() -> None:
    """GitHub reads no baselineState: it would open an alert for what is not there."""
    one = run(against_a_baseline())

    states = {
        result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]: (
            result["baselineState"],
            len(result["suppressions"]),
        )
        for result in one["results"]
    }
    assert states == {"public.new": ("new", 0), "public.worse": ("updated", 0), "public.known": ("unchanged", 1)}
    assert notifications(one) == [("note", "duplicate_index public.gone: remove from the baseline")]


def test_runs_are_named_by_their_alias() -> None:
    document = rendered(a_report(), a_report(target=a_target(alias=None, database="a/b c")))

    assert [one["automationDetails"]["id"] for one in document["runs"]] == ["dbops/default/", "dbops/a%2Fb%20c/"]


def test_odd_names_are_kept_as_they_are() -> None:
    one = run(*CASES["odd names"])

    names = [result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] for result in one["results"]]
    assert names == list(NAMES)
