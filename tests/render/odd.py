"""Reports that every face must get right: nothing seen, a part seen, several databases, odd names."""

from __future__ import annotations

from typing import Any

from dbops.findings.finding import Owner, Ownership, Tag
from dbops.findings.report import CheckResult, Ignored, Outcome, Report
from dbops.findings.source import Place, Source
from tests.render.reports import (
    a_finding,
    a_redundant_index,
    a_report,
    a_target,
    against_a_baseline,
    an_exhausted_sequence,
    an_unindexed_foreign_key,
)

NAMES = (
    'public."Mixed Case"',
    'public."a ""quoted"" one"',
    'public."line\nbreak"',
    'public."Größe 表 🐘"',
    'public."a|b `c` ``d`` <e> &f; ]]> -->"',
    'public."100%, a:b\r\n::error::x\x1b[31m\x00\ufffe"',
)


def source(owner: Owner) -> Source:
    """Every model of one's own is in one file, made by one migration."""
    if owner.ownership is not Ownership.MINE:
        return Source()
    return Source(
        declared=Place(path="shop/model files/täsk.py", line=7),
        migration=Place(path="shop/migrations/0003_task_user.py"),
    )


def results(**outcomes: tuple[Outcome, str | None]) -> tuple[CheckResult, ...]:
    return tuple(
        CheckResult(check=check, tag=Tag.STRUCTURAL, outcome=outcome, reason=reason)
        for check, (outcome, reason) in outcomes.items()
    )


def partly_seen(**values: Any) -> Report:
    """A check of every outcome, one with a part unseen, and a locked table."""
    given = results(
        duplicate_index=(Outcome.CRASHED, "KeyError: a defect"),
        invalid_index=(Outcome.SKIPPED, "no SELECT on it: public.a"),
        missing_primary_key=(Outcome.FOUND, "no SELECT on it: public.b"),
        redundant_index=(Outcome.OK, None),
    )
    finding = a_finding("public.c", "missing_primary_key")
    return a_report(finding, results=given, unseen=("public.big is locked by another session",), **values)


def every_case() -> dict[str, tuple[Report, ...]]:
    ignored = Ignored(finding=a_redundant_index(), reason="monthly job", until="2027-03-01")
    expired = an_unindexed_foreign_key()
    return {
        "nothing found": (a_report(),),
        "no check": (a_report(results=()),),
        "all skipped": (a_report(results=results(duplicate_index=(Outcome.SKIPPED, "no rights"))),),
        "empty database": (a_report(target=a_target(table_count=0)),),
        "found": (a_report(an_exhausted_sequence(is_red=True), an_unindexed_foreign_key(), a_redundant_index()),),
        "partly seen": (partly_seen(),),
        "interrupted": (partly_seen(interrupted="the connection was lost"),),
        "ignored": (a_report(ignored=(ignored,)),),
        "expired": (a_report(expired, expired=(Ignored(finding=expired, reason="old", until="2026-01-01"),)),),
        "baseline": (against_a_baseline(),),
        "rolled up": (a_report(an_unindexed_foreign_key(rolled_up=("public.a|b", "public.c"))),),
        "odd names": (
            a_report(*(a_finding(name, message=f"Odd: {name}.", evidence={"kept": name}) for name in NAMES)),
        ),
        "several": (
            a_report(an_unindexed_foreign_key()),
            a_report(target=a_target(alias="odd | näme/1")),
            a_report(target=a_target(alias=None, database="warehouse")),
        ),
        "many": (a_report(*(an_unindexed_foreign_key(number) for number in range(100))),),
    }
