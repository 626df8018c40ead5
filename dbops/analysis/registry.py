"""The checks there are: found by listing the package, described by their own signatures and docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from dbops import checks as package
from dbops.errors import ConfigurationError
from dbops.findings.finding import Finding, Tag, Unseen
from dbops.snapshot.schema import REQUIRED
from dbops.snapshot.snapshot import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import ModuleType

Threshold: TypeAlias = int | float | bool | str

#: The words that open the later parts of a check's page.
_REMEDY: Final = "How to fix:"
_UNREPORTED: Final = "Not reported:"
_SCHEMA: Final = "schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check as its module describes it.

    `needs` are the sections without which it is skipped, `uses` those it can do without; `schema` stands for the
    sections a Schema is made of. `for_health` says that it is judged at /ht/ too. `summary` is one line; `why`,
    `remedy` and `unreported` are paragraphs.
    """

    id: str
    tag: Tag
    run: Callable[..., Iterable[Finding | Unseen]]
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    thresholds: Mapping[str, Threshold]
    summary: str
    why: str
    remedy: str
    unreported: str
    for_health: bool = False

    @property
    def sections(self) -> frozenset[str]:
        """Every section to collect for it."""
        named = frozenset(self.needs + self.uses)
        return (named - {_SCHEMA}) | {*REQUIRED, "relation_sizes"} if _SCHEMA in named else named


@cache
def checks() -> Mapping[str, Check]:
    """Return every check by its id, in alphabetical order.

    Raises:
        ConfigurationError: a module in `dbops.checks` is not a check.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return {name: _describe(name, importlib.import_module(f"{package.__name__}.{name}")) for name in names}


def check_thresholds(check_id: str, thresholds: Mapping[str, object]) -> Iterator[ConfigurationError]:
    """Iterate over the thresholds that the check does not have, and the values that are of another type."""
    known = checks()[check_id].thresholds
    for name, value in thresholds.items():
        if name not in known:
            has = f"{check_id} has {', '.join(known)}" if known else f"{check_id} has no thresholds"
            yield ConfigurationError(f"unknown threshold {name!r} of check {check_id}", hint=has)
        elif not _fits(value, known[name]):
            message = f"threshold {name!r} of check {check_id} cannot be {value!r}"
            yield ConfigurationError(message, hint=f"its default is {known[name]!r}")


def _fits(value: object, default: Threshold) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, (int, float)):
        return isinstance(value, (int, float)) and value >= 0
    return isinstance(value, str)


def _describe(name: str, module: ModuleType) -> Check:
    run, tag = getattr(module, "check", None), getattr(module, "TAG", None)
    if not callable(run) or not isinstance(tag, Tag) or not module.__doc__:
        message = f"{module.__name__} is not a check"
        raise ConfigurationError(message, hint="a check has a docstring, a TAG and a function named check")
    needs, uses, thresholds = [], [], {}
    for parameter in inspect.signature(run).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            thresholds[parameter.name] = parameter.default
        elif parameter.name not in SECTIONS and parameter.name != _SCHEMA:
            message = f"check {name} asks for an unknown section {parameter.name!r}"
            raise ConfigurationError(message, hint=f"there are {', '.join(sorted(SECTIONS))} and {_SCHEMA}")
        elif parameter.default is parameter.empty:
            needs.append(parameter.name)
        else:
            uses.append(parameter.name)
    summary, _, page = inspect.cleandoc(module.__doc__).partition("\n")
    page, _, unreported = page.partition(_UNREPORTED)
    why, _, remedy = page.partition(_REMEDY)
    return Check(
        id=name,
        tag=tag,
        run=run,
        needs=tuple(needs),
        uses=tuple(uses),
        thresholds=thresholds,
        summary=summary.strip().removesuffix("."),
        why=_paragraphs(why),
        remedy=_paragraphs(remedy),
        unreported=_paragraphs(unreported),
        for_health=getattr(module, "FOR_HEALTH", False),
    )


def _paragraphs(text: str) -> str:
    stripped = text.strip()
    return stripped[:1].upper() + stripped[1:]
