"""What the overview of one database shows: the state of its looks, the score, the findings and what was not seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db.models import F, Max, Window
from django.db.models.functions import RowNumber
from django.urls import reverse
from django.utils.http import urlencode

from dbops.admin.filters import COLUMNS, Chosen, Filter, Group, filters_of, groups_of
from dbops.admin.shown import Shown
from dbops.analysis.registry import checks
from dbops.collect.rights import grants_of, rights_of
from dbops.findings.report import JUDGED, Outcome
from dbops.history.looks import buried
from dbops.history.storage import results_of
from dbops.models import Look
from dbops.render.coverage import by_reason, missing_grants
from dbops.snapshot.amounts import format_bytes, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dbops.findings.report import CheckResult

#: How many findings of one check are shown in full, the worst first; the rest is behind a link.
FEW: Final = 3


@dataclass(frozen=True, slots=True)
class State:
    """The looks at one database: the last that is done, one that is running, and one that failed after it."""

    done: Look | None = None
    running: Look | None = None
    failed: Look | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """What one check found at one severity; `more` is the address of all of it, where not all is shown."""

    check: str
    severity: str
    count: int
    shown: list[Shown]
    more: str | None


@dataclass(frozen=True, slots=True)
class Unseen:
    """Checks that could not look, or not at everything, and the one reason they gave."""

    how: str
    checks: list[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything of one look that is done."""

    look: Look
    taken_at: datetime
    facts: list[str]
    score: Mapping[str, Any]
    scores: list[dict[str, Any]]
    blocks: list[Block]
    filters: list[Filter]
    folded: list[tuple[str, str]]
    count: int
    total: int
    counts: dict[str, int]
    unseen: list[Unseen]
    grants: list[str]
    ended: str
    clear: str | None = None
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> str:
        """How long the look took."""
        return f"{self.report['duration_ms'] / 1000:.1f}"

    @property
    def is_blind(self) -> bool:
        """Whether no check could look at all."""
        return self.score["value"] is None

    @property
    def is_partial(self) -> bool:
        return bool(self.unseen or self.report["unseen"] or self.report["interrupted"])


def states_of(aliases: Iterable[str]) -> dict[str, State]:
    """Return the state of each alias, in one query."""
    found: dict[str, dict[str, Look]] = {alias: {} for alias in aliases}
    last = Look.objects.filter(alias__in=list(found)).values("alias", "status").annotate(last=Max("pk")).values("last")
    for look in Look.objects.filter(pk__in=last).order_by("started_at", "pk"):
        found[look.alias][buried(look).status] = look
    return {alias: _state(by_status) for alias, by_status in found.items()}


def overview_of(look: Look, chosen: Chosen) -> Overview:
    """Return what is shown of `look`, in two queries."""
    report, groups = look.report or {}, groups_of(look)
    matching = [group for group in groups if chosen.includes(group)]
    visible = [group for group in matching if chosen.unfolds or not group.is_folded]
    results = results_of(look)
    target = report["target"]
    return Overview(
        look=look,
        taken_at=datetime.fromisoformat(report["taken_at"]),
        facts=_facts(report),
        score=report["score"],
        scores=_scores(report["score"], chosen),
        blocks=_blocks(look, visible, chosen),
        filters=filters_of(groups, chosen),
        folded=_folded((group for group in matching if group not in visible), chosen),
        count=sum(group.count for group in visible),
        total=sum(group.count for group in groups),
        counts=_counts(visible),
        unseen=_unseen(results),
        grants=missing_grants(results, target["role"], _grants(results)),
        ended=_ended(results),
        clear=chosen.query(**dict.fromkeys(COLUMNS)) if chosen.values else None,
        report=report,
    )


def _state(looks: Mapping[str, Look]) -> State:
    done, running, failed = (
        looks.get(status) for status in (Look.Status.DONE, Look.Status.RUNNING, Look.Status.FAILED)
    )
    is_old = failed is not None and done is not None and failed.started_at < done.started_at
    return State(done=done, running=running, failed=None if is_old else failed)


def _facts(report: Mapping[str, Any]) -> list[str]:
    target, facts = report["target"], []
    if target["server_version"]:
        facts.append(f"PostgreSQL {target['server_version']}" + (", a standby" if target["is_standby"] else ""))
    if target["table_count"] is not None:
        size = "" if target["size_bytes"] is None else f", {format_bytes(target['size_bytes'])}"
        facts.append(plural(target["table_count"], "table") + size)
    if target["role"]:
        facts.append(f"seen as {target['role']}")
    return facts


def _scores(score: Mapping[str, Any], chosen: Chosen) -> list[dict[str, Any]]:
    """Return both scores with their terms, each with the address of what takes the points off."""
    of = {"now": "the running database", "wear": "the schema and settings"}
    return [
        {
            "name": name,
            "of": what,
            "value": part["value"],
            "capped_by": part["capped_by"],
            "terms": [
                {
                    "check": term["check"],
                    "points": f"{term['points']:g}",
                    "query": Chosen(chosen.database, {"check": term["check"]}).query(),
                }
                for term in part["terms"]
            ],
        }
        if (part := score[name])
        else {"name": name, "of": what, "value": None}
        for name, what in of.items()
    ]


def _blocks(look: Look, visible: list[Group], chosen: Chosen) -> list[Block]:
    sizes: dict[tuple[str, str], int] = defaultdict(int)
    for group in visible:  # in the order of the report
        sizes[group.severity, group.check] += group.count
    place = Window(RowNumber(), partition_by=[F("severity"), F("check_name")], order_by="position")
    rows = look.findings.filter(**chosen.lookups).annotate(place=place).filter(place__lte=FEW).order_by("position")
    shown: dict[tuple[str, str], list[Shown]] = defaultdict(list)
    for row in rows:
        shown[row.severity, row.check_name].append(Shown(row))
    return [
        Block(check, severity, count, shown[severity, check], _more(check, severity, chosen) if count > FEW else None)
        for (severity, check), count in sizes.items()
    ]


def _more(check: str, severity: str, chosen: Chosen) -> str:
    lookups = {"look__alias": chosen.database, "check_name": check, "severity__exact": severity}
    if "ownership" in chosen.values:
        lookups["ownership__exact"] = chosen.values["ownership"]
    if "app" in chosen.values:
        lookups["app_label"] = chosen.values["app"]
    if not chosen.unfolds:
        lookups["is_folded__exact"] = "0"
    return f"{reverse('admin:dbops_finding_changelist')}?{urlencode(lookups)}"


def _folded(groups: Iterable[Group], chosen: Chosen) -> list[tuple[str, str]]:
    """Return what other people's remarks are counted as, with the address that shows them."""
    counts: dict[str, int] = defaultdict(int)
    for group in groups:
        counts[group.ownership] += group.count
    return [
        (
            f"{plural(count, 'remark')} on tables of {ownership.replace('_', '-')} apps",
            chosen.query(ownership=ownership),
        )
        for ownership, count in sorted(counts.items())
    ]


def _counts(groups: Iterable[Group]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for group in groups:
        counts[group.severity] += group.count
    return dict(counts)


def _unseen(results: Iterable[CheckResult]) -> list[Unseen]:
    results = tuple(results)
    parts = {
        "crashed": [one for one in results if one.outcome is Outcome.CRASHED],
        "skipped": [one for one in results if one.outcome is Outcome.SKIPPED],
        "partly": [one for one in results if one.outcome in JUDGED and one.reason is not None],
    }
    return [Unseen(how, names, reason) for how, part in parts.items() for reason, names in by_reason(part).items()]


def _ended(results: tuple[CheckResult, ...]) -> str:
    counts = Counter(one.outcome for one in results)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome])


def _grants(results: Iterable[CheckResult]) -> dict[str, tuple[str, ...]]:
    known = checks()
    there = [known[one.check] for one in results if one.check in known]
    return {check.id: tuple(grants_of(rights_of(check.id, check.sections))) for check in there}
