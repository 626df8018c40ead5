"""Run the checks over a snapshot: each ends as ok, found, skipped or crashed, and none stops another."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from dbops.analysis.registry import checks
from dbops.findings.finding import Finding, Tag, Unseen
from dbops.findings.report import CheckResult, Outcome
from dbops.snapshot.amounts import listed
from dbops.snapshot.schema import Schema
from dbops.snapshot.snapshot import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from dbops.analysis.registry import Check, Threshold
    from dbops.snapshot.snapshot import Snapshot

logger = logging.getLogger(__name__)
#: Sections that let a check look ahead: without them it sees all there is now, and nothing was left out.
_OF_THE_FUTURE: Final = frozenset({"growth"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Every check's outcome and every finding, before anybody knows whose they are."""

    results: tuple[CheckResult, ...]
    findings: tuple[Finding, ...]


def select(
    *, only: Collection[str] | None = None, tag: Tag | None = None, disabled: Collection[str] = ()
) -> tuple[Check, ...]:
    """Return the checks to run. A check named in `only` runs though it is disabled."""
    return tuple(
        check
        for check in checks().values()
        if (check.id in only if only is not None else check.id not in disabled) and tag in {None, check.tag}
    )


def analyze(
    snapshot: Snapshot,
    chosen: Iterable[Check],
    *,
    thresholds: Mapping[str, Mapping[str, Threshold]] | None = None,
    schema: Schema | Unavailable | None = None,
) -> Analysis:
    """Judge `snapshot` by the `chosen` checks; `thresholds` overrides defaults by check and name.

    `schema` is the snapshot's, where the caller has made it already.
    """
    schema = Schema.of(snapshot) if schema is None else schema
    results, findings = [], []
    for check in chosen:
        result, found = _run(check, snapshot, schema, (thresholds or {}).get(check.id, {}))
        results.append(result)
        findings += found
    return Analysis(results=tuple(results), findings=tuple(findings))


def _run(
    check: Check, snapshot: Snapshot, schema: Schema | Unavailable, thresholds: Mapping[str, Threshold]
) -> tuple[CheckResult, list[Finding]]:
    arguments: dict[str, Any] = dict(thresholds)
    missing: list[str] = []
    for name in (*check.needs, *check.uses):
        section = schema if name == "schema" else snapshot.section(name)
        if not isinstance(section, Unavailable):
            arguments[name] = section
        elif name in check.needs:
            return CheckResult(check=check.id, tag=check.tag, outcome=Outcome.SKIPPED, reason=section.reason), []
        else:
            arguments[name] = None
        missing += _unread(snapshot, "relation_sizes" if name == "schema" else name)
    try:
        said = list(check.run(**arguments))
    except Exception as error:  # a crash of one check is an outcome: the others still run
        logger.exception("check %s crashed", check.id)
        reason = f"{type(error).__name__}: a defect of dbops; please report it with the traceback in the log"
        return CheckResult(check=check.id, tag=check.tag, outcome=Outcome.CRASHED, reason=reason), []
    found = [replace(one, check=check.id) for one in said if isinstance(one, Finding)]
    # A check that says itself what it could not see says it better.
    unseen = _grouped([one for one in said if isinstance(one, Unseen)]) or "; ".join(dict.fromkeys(missing)) or None
    outcome = Outcome.FOUND if found else Outcome.SKIPPED if unseen else Outcome.OK
    return CheckResult(check=check.id, tag=check.tag, outcome=outcome, reason=unseen), found


def _unread(snapshot: Snapshot, name: str) -> list[str]:
    """Return why a section that was to be read could not be, as a list of one reason; an empty one if it was."""
    section = snapshot.sections.get(name) if name not in _OF_THE_FUTURE else None
    return [section.reason] if isinstance(section, Unavailable) else []


def _grouped(unseen: Iterable[Unseen]) -> str | None:
    """Return one line for all that could not be seen: equal reasons are said once, with their targets."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in unseen:
        by_reason[one.reason].append(one.target)
    lines = [f"{reason}: {listed(sorted(targets))}" for reason, targets in sorted(by_reason.items())]
    return "; ".join(lines) or None
