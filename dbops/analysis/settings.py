"""What the settings may say about checks: known ids, known thresholds, values of the right type."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from dbops.analysis.registry import check_thresholds, checks
from dbops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def problems(thresholds: Mapping[str, Mapping[str, object]], named: Iterable[str]) -> Iterator[ConfigurationError]:
    """Iterate over everything that is wrong with `thresholds` by check, and with the ids in `named`."""
    for check in dict.fromkeys((*thresholds, *named)):
        if check not in checks():
            yield unknown_check(check)
    for check, values in thresholds.items():
        if check in checks():
            yield from check_thresholds(check, values)


def unknown_check(name: str) -> ConfigurationError:
    """Return the error for a check that does not exist, with the nearest that does."""
    near = get_close_matches(name, checks(), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "manage.py dbanalyze --list shows every check"
    return ConfigurationError(f"there is no check {name!r}", hint=hint)
