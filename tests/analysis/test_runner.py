"""Every check ends as ok, found, skipped or crashed; what could not be seen is said; none stops another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dbops.analysis.registry import Check
from dbops.analysis.runner import analyze
from dbops.findings.finding import Finding, Kind, Tag, Target, Unseen
from dbops.findings.report import Outcome
from dbops.snapshot.snapshot import Snapshot, Unavailable
from tests.setting_builders import a_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pytest

A_FINDING = Finding(target=Target(Kind.TABLE, "public.task"), message="it is wrong")


def a_check(run: Callable[..., Iterable[Finding | Unseen]], name: str = "some_check", **values: Any) -> Check:
    described = {"needs": (), "uses": (), "thresholds": {}, "tag": Tag.STRUCTURAL, **values}
    return Check(id=name, run=run, summary="", why="", remedy="", unreported="", **described)


def a_snapshot(**sections: Any) -> Snapshot:
    return Snapshot(alias=None, database="shop", taken_at=datetime.now(UTC), duration_ms=1, sections=sections)


def outcome(check: Check, snapshot: Snapshot | None = None) -> tuple[Outcome, str | None]:
    (result,) = analyze(snapshot or a_snapshot(), [check]).results
    return result.outcome, result.reason


def test_a_check_that_says_nothing_is_ok() -> None:
    assert outcome(a_check(lambda: ())) == (Outcome.OK, None)


def test_a_finding_is_found_and_signed_by_its_check() -> None:
    analysis = analyze(a_snapshot(), [a_check(lambda: [A_FINDING])])
    assert [finding.check for finding in analysis.findings] == ["some_check"]
    assert analysis.results[0].outcome is Outcome.FOUND


def test_what_was_unseen_is_never_ok() -> None:
    assert outcome(a_check(lambda: [Unseen("public.a", "no SELECT on it")])) == (
        Outcome.SKIPPED,
        "no SELECT on it: public.a",
    )


def test_what_was_unseen_is_said_beside_a_finding() -> None:
    assert outcome(a_check(lambda: [A_FINDING, Unseen("public.a", "locked")])) == (Outcome.FOUND, "locked: public.a")


def test_a_check_that_cannot_look_ahead_has_left_nothing_out() -> None:
    check = a_check(lambda growth: () if growth is None else [A_FINDING], uses=("growth",))
    assert outcome(check, a_snapshot(growth=Unavailable("less than a day of it is known"))) == (Outcome.OK, None)


def test_a_section_that_a_check_can_do_without_is_missed_aloud() -> None:
    check = a_check(lambda tables: [A_FINDING], uses=("tables",))
    snapshot = a_snapshot(tables=Unavailable("tables: statement timeout"))
    assert outcome(check, snapshot) == (Outcome.FOUND, "tables: statement timeout")
    silent = a_check(lambda tables: [], uses=("tables",))
    assert outcome(silent, snapshot) == (Outcome.SKIPPED, "tables: statement timeout")
    assert outcome(silent, a_snapshot()) == (Outcome.OK, None)
    eloquent = a_check(lambda tables: [Unseen("public.a", "no SELECT on it")], uses=("tables",))
    assert outcome(eloquent, snapshot)[1] == "no SELECT on it: public.a"


def test_sizes_that_could_not_be_read_are_missed_by_checks_of_the_schema() -> None:
    sections = dict.fromkeys(("tables", "columns", "indexes", "constraints"), ())
    sizes = Unavailable("relation sizes: statement timeout")
    snapshot = a_snapshot(**sections, server=a_server(), relation_sizes=sizes)
    check = a_check(lambda schema: [A_FINDING], needs=("schema",))
    assert outcome(check, snapshot) == (Outcome.FOUND, "relation sizes: statement timeout")


def test_equal_reasons_are_said_once() -> None:
    unseen = [Unseen(f"public.t{number}", "no SELECT on it") for number in range(6)] + [Unseen("public.x", "locked")]
    assert outcome(a_check(lambda: unseen))[1] == (
        "locked: public.x; no SELECT on it: public.t0, public.t1, public.t2 and 3 more"
    )


def test_a_section_it_needs_and_cannot_have_skips_it_with_the_reason() -> None:
    check = a_check(lambda tables: [A_FINDING], needs=("tables",))
    assert outcome(check, a_snapshot(tables=Unavailable("permission denied"))) == (Outcome.SKIPPED, "permission denied")


def test_a_section_nobody_collected_skips_it() -> None:
    assert outcome(a_check(lambda tables: (), needs=("tables",))) == (Outcome.SKIPPED, "tables was not collected")


def test_a_section_it_can_do_without_is_none() -> None:
    given: list[Any] = []

    def check(tables: Any = None) -> Iterable[Finding]:
        given.append(tables)
        return ()

    without = a_snapshot(tables=Unavailable("permission denied"))
    assert outcome(a_check(check, uses=("tables",)), without) == (Outcome.SKIPPED, "permission denied")
    assert given == [None]


def test_a_schema_that_could_not_be_read_skips_with_the_reason() -> None:
    check = a_check(lambda schema: (), needs=("schema",))
    assert outcome(check, a_snapshot(server=Unavailable("canceled"))) == (Outcome.SKIPPED, "canceled")


def test_a_crash_is_an_outcome_and_the_others_still_run(caplog: pytest.LogCaptureFixture) -> None:
    def crash() -> Iterator[Finding]:
        yield A_FINDING
        raise ZeroDivisionError

    analysis = analyze(a_snapshot(), [a_check(crash, "first"), a_check(lambda: [A_FINDING], "second")])
    assert [result.outcome for result in analysis.results] == [Outcome.CRASHED, Outcome.FOUND]
    assert "ZeroDivisionError" in str(analysis.results[0].reason)
    assert [finding.check for finding in analysis.findings] == ["second"]
    assert "ZeroDivisionError" in caplog.text


def test_thresholds_reach_the_check() -> None:
    given: list[float] = []

    def check(*, used_ratio: float = 0.5) -> Iterable[Finding]:
        given.append(used_ratio)
        return ()

    chosen = a_check(check, thresholds={"used_ratio": 0.5})
    analyze(a_snapshot(), [chosen])
    analyze(a_snapshot(), [chosen], thresholds={"some_check": {"used_ratio": 0.7}})
    assert given == [0.5, 0.7]
