"""JUnit XML, as Jenkins and GitLab read it: one suite per database, one test case per check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from dbops.findings.report import Outcome
from dbops.render.decisions import gone_lines, unused_lines
from dbops.render.gaps import gaps
from dbops.render.page import visible, visible_code
from dbops.render.remedies import in_words
from dbops.snapshot.amounts import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dbops.findings.finding import Finding, Severity
    from dbops.findings.ignores import Ignore
    from dbops.findings.report import CheckResult, Report

#: What XML 1.0 cannot hold in any way, beside the control characters that `visible` writes out.
_NOT_XML: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")
_COUNTED: Final = ("failure", "error", "skipped")


def render(
    reports: Sequence[Report], *, fail_on: Severity | None, scope: str | None = None, unused: Iterable[Ignore] = ()
) -> str:
    """Return `reports` as XML. What fails a build at `fail_on` is a failure; what does not is in `system-out`."""
    root = ET.Element("testsuites", {"name": "dbops"})
    notes = [*([f"limited to {scope}"] if scope else []), *unused_lines(unused)]
    for report in reports:
        _suite(root, report, fail_on, notes)
    for tag, attribute in (("testcase", "tests"), ("failure", "failures"), ("error", "errors")):
        root.set(attribute, str(len(root.findall(f".//{tag}"))))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, report: Report, fail_on: Severity | None, notes: Iterable[str]) -> None:
    failing = frozenset(map(id, report.failing(fail_on)))
    suite = ET.SubElement(root, "testsuite", {"name": _line(f"dbops {report.target.name}")})
    for result in report.results:
        found = [finding for finding in report.findings if finding.check == result.check]
        _case(suite, report, result, found, failing)
    whole = [gap for gap in gaps(report) if gap.check is None]
    if whole:
        case = ET.SubElement(suite, "testcase", {"classname": "dbops.look", "name": "everything_was_seen"})
        is_failure = any(gap.is_failure for gap in whole)
        ET.SubElement(
            case, "error" if is_failure else "skipped", {"message": _line("; ".join(gap.reason for gap in whole))}
        )
    said = [
        *notes,
        *(f"ignored: {one.finding.check} {one.finding.target}: {one.reason}" for one in report.ignored),
        *gone_lines(report),
        "no score" if report.score is None else f"score {report.score.value}/100",
    ]
    ET.SubElement(suite, "system-out").text = "\n".join(map(_line, said))
    counts = {tag: len(suite.findall(f"testcase/{tag}")) for tag in _COUNTED}
    suite.attrib |= {
        "tests": str(len(suite.findall("testcase"))),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{report.duration_ms / 1000:.3f}",
        "timestamp": f"{report.taken_at:%Y-%m-%dT%H:%M:%S}",
    }


def _case(
    suite: ET.Element, report: Report, result: CheckResult, found: Sequence[Finding], failing: frozenset[int]
) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": f"dbops.{result.tag}", "name": result.check})
    if result.outcome in {Outcome.CRASHED, Outcome.SKIPPED}:
        tag = "error" if result.outcome is Outcome.CRASHED else "skipped"
        ET.SubElement(case, tag, {"message": _line(result.reason or "no reason was given")})
        return
    failures = [finding for finding in found if id(finding) in failing]
    if failures:
        first = _line(failures[0].target.name)
        message = first if len(failures) == 1 else f"{plural(len(failures), 'finding')}: {first} …"
        failure = ET.SubElement(case, "failure", {"message": message, "type": failures[0].severity})
        failure.text = "\n\n".join(_told(finding, report) for finding in failures)
    others = [f"{finding.severity}: {_told(finding, report)}" for finding in found if id(finding) not in failing]
    if result.reason is not None:
        others.append(f"saw only a part: {_line(result.reason)}")
    if others:
        ET.SubElement(case, "system-out").text = "\n\n".join(others)


def _told(finding: Finding, report: Report) -> str:
    known = ["known: the baseline has it"] if report.is_known(finding) else []
    lines = [f"{visible(finding.target.name)}: {in_words(finding)}", *report.notes(finding), *known]
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", visible_code("\n".join(lines)))


def _line(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", visible(text))
