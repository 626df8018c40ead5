"""What the overview can be narrowed to, as links with counts: by severity, ownership, app and check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.db.models import Count, Min

from dbops.findings.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbops.models import Look

#: The parameters of the page's address, and the columns they choose by.
COLUMNS: Final = {"severity": "severity", "ownership": "ownership", "app": "app_label", "check": "check_name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """How many findings share these values; `first` is the place of the first of them in the report."""

    severity: str
    ownership: str
    app: str
    check: str
    is_folded: bool
    count: int
    first: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A link that narrows to one value, or to none any more."""

    text: str
    count: int
    query: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """The links of one parameter."""

    title: str
    choices: list[Choice]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the page is narrowed to, by parameter. `database` is the alias that every link keeps."""

    database: str
    values: Mapping[str, str]

    def includes(self, group: Group, *, but: str | None = None) -> bool:
        """Return whether the findings of `group` are shown; `but` is a parameter to leave out of account."""
        return all(getattr(group, name) == value for name, value in self.values.items() if name != but)

    @property
    def unfolds(self) -> bool:
        """Whether other people's remarks are shown too, for somebody asks for just these."""
        return bool(self.values.keys() & {"ownership", "app", "check"})

    @property
    def lookups(self) -> dict[str, Any]:
        """What chooses the rows."""
        folded = {} if self.unfolds else {"is_folded": False}
        return {COLUMNS[name]: value for name, value in self.values.items()} | folded

    def query(self, **changes: str | None) -> str:
        """Return the address's query with `changes`; None takes a parameter out."""
        kept = {name: value for name, value in {**self.values, **changes}.items() if value is not None}
        return "?" + urlencode({"database": self.database, **kept})


def groups_of(look: Look) -> list[Group]:
    """Return the findings of `look` counted by everything that one can choose by."""
    counted = look.findings.values(*COLUMNS.values(), "is_folded").annotate(count=Count("pk"), first=Min("position"))
    return [
        Group(
            **{name: one[column] for name, column in COLUMNS.items()},
            **{name: one[name] for name in ("is_folded", "count", "first")},
        )
        for one in counted.order_by("first")
    ]


def filters_of(groups: list[Group], chosen: Chosen) -> list[Filter]:
    """Return the filters that leave a choice. The counts are what each link would show."""
    made = (_filter(name, groups, chosen) for name in COLUMNS)
    return [one for one in made if one is not None]


def _filter(name: str, groups: list[Group], chosen: Chosen) -> Filter | None:
    counts: dict[str, int] = {}
    for group in groups:
        value = getattr(group, name)
        if value:
            counts.setdefault(value, 0)
            if chosen.includes(group, but=name):
                counts[value] += group.count
    current = chosen.values.get(name)
    if len(counts) < 2 and current is None:
        return None
    values = sorted(counts) if name != "severity" else [one for one in reversed(Severity) if one in counts]
    total = sum(group.count for group in groups if chosen.includes(group, but=name))
    choices = [Choice("All", total, chosen.query(**{name: None}), current is None)]
    choices += [
        Choice(
            value.replace("_", " ") if name == "ownership" else value,
            counts[value],
            chosen.query(**{name: value}),
            current == value,
        )
        for value in values
    ]
    return Filter(name, choices)
