"""The DBOPS setting: its shape, and everything in it that cannot be right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

from django.conf import settings

from dbops.errors import ConfigurationError
from dbops.findings.ignores import Ignore

_KEYS: Final = (
    "CHECKS",
    "IGNORE",
    "OWN_APPS",
    "DATABASES",
    "HEALTH_TOKEN",
    "ENABLED",
    "QUERY_TIMEOUT_S",
    "SLOW_QUERY_MS",
)
_IGNORE_KEYS: Final = ("check", "target", "reason", "until")
#: A token that could be guessed protects nothing.
SHORTEST_TOKEN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the DBOPS setting says.

    `thresholds` overrides thresholds by check and name; `disabled` are the checks set to False. `own_apps` are patterns
    of app labels or module names, None when the project's place on disk decides whose an app is. `health_token` opens
    /ht/detail/ to whoever has it, None to nobody.
    """

    thresholds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()
    ignores: tuple[Ignore, ...] = ()
    own_apps: tuple[str, ...] | None = None
    databases: tuple[str, ...] = ("default",)
    health_token: str | None = field(default=None, repr=False)
    enabled: bool = True
    query_timeout_s: float = 30
    slow_query_ms: float = 100


def is_token(text: str) -> bool:
    """Whether `text` can be sent in a header and is too long to be guessed."""
    return len(text) >= SHORTEST_TOKEN and text.isascii() and text.isprintable() and " " not in text


def config() -> Config:
    """Return the DBOPS setting of the project, all of it optional.

    Raises:
        ConfigurationError: the first thing in it that cannot be right.
    """
    found, problems = read(getattr(settings, "DBOPS", {}))
    if problems:
        raise problems[0]
    return found


def query_timeout_ms() -> int:
    """Return how long one of our own statements may take, as far as the setting can be understood.

    In milliseconds, and never 0, which the server takes for no limit.
    """
    return max(1, round(read(getattr(settings, "DBOPS", {}))[0].query_timeout_s * 1000))


def is_enabled() -> bool:
    """Return whether dbops is switched on, as far as the setting can be understood."""
    return read(getattr(settings, "DBOPS", {}))[0].enabled


def read(setting: object) -> tuple[Config, list[ConfigurationError]]:
    """Return what `setting` says as far as it can be understood, and everything that is wrong with its shape."""
    if not isinstance(setting, Mapping):
        return Config(), [ConfigurationError("the DBOPS setting is not a dict", hint="for example DBOPS = {}")]
    problems = [
        ConfigurationError(f"unknown key {key!r} in the DBOPS setting", hint=f"there are {', '.join(_KEYS)}")
        for key in setting
        if key not in _KEYS
    ]
    thresholds, disabled = _checks(setting.get("CHECKS", {}), problems)
    found = Config(
        thresholds=thresholds,
        disabled=disabled,
        ignores=_ignores(setting.get("IGNORE", ()), problems),
        own_apps=_names(setting, "OWN_APPS", problems),
        databases=_names(setting, "DATABASES", problems) or Config().databases,
        health_token=_token(setting.get("HEALTH_TOKEN"), problems),
        enabled=_flag(setting, "ENABLED", problems),
        query_timeout_s=_positive(setting, "QUERY_TIMEOUT_S", Config().query_timeout_s, problems),
        slow_query_ms=_positive(setting, "SLOW_QUERY_MS", Config().slow_query_ms, problems),
    )
    if "SLOW_QUERY_MS" in setting:
        of_the_check = {"mean_ms": found.slow_query_ms, **thresholds.get("slow_query", {})}
        found = replace(found, thresholds={**thresholds, "slow_query": of_the_check})
    return found, problems


def _checks(given: object, problems: list[ConfigurationError]) -> tuple[dict[str, Mapping[str, Any]], frozenset[str]]:
    thresholds: dict[str, Mapping[str, Any]] = {}
    disabled: set[str] = set()
    if not isinstance(given, Mapping):
        problems.append(ConfigurationError('DBOPS["CHECKS"] is not a dict', hint='{"check": {"threshold": value}}'))
        return thresholds, frozenset()
    for check, value in given.items():
        if value is False:
            disabled.add(check)
        elif isinstance(value, Mapping):
            thresholds[check] = value
        elif value is not True:
            problems.append(
                ConfigurationError(
                    f'DBOPS["CHECKS"][{check!r}] cannot be {value!r}',
                    hint="give a dict of thresholds, or False to switch the check off",
                )
            )
    return thresholds, frozenset(disabled)


def _ignores(given: object, problems: list[ConfigurationError]) -> tuple[Ignore, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        problems.append(ConfigurationError('DBOPS["IGNORE"] is not a list of dicts'))
        return ()
    return tuple(ignore for position, one in enumerate(given) if (ignore := _ignore(position, one, problems)))


def _ignore(position: int, given: object, problems: list[ConfigurationError]) -> Ignore | None:
    place = f'DBOPS["IGNORE"][{position}]'
    hint = 'for example {"check": "unlogged_table", "target": "public.staging_*", "reason": "rebuilt every night"}'
    if not isinstance(given, Mapping) or not set(given) <= set(_IGNORE_KEYS):
        problems.append(ConfigurationError(f"{place} is not a dict of {', '.join(_IGNORE_KEYS)}", hint=hint))
        return None
    missing = [key for key in ("check", "target", "reason") if not isinstance(given.get(key), str) or not given[key]]
    if missing:
        problems.append(ConfigurationError(f"{place} lacks {' and '.join(missing)}", hint=hint))
        return None
    until = given.get("until")
    if isinstance(until, str):
        try:
            until = date.fromisoformat(until)
        except ValueError:
            problems.append(ConfigurationError(f"{place}: {until!r} is not a date", hint="for example 2027-03-01"))
            return None
    elif isinstance(until, datetime):
        until = until.date()
    elif until is not None and not isinstance(until, date):
        problems.append(ConfigurationError(f"{place}: until is not a date", hint="for example 2027-03-01"))
        return None
    return Ignore(check=given["check"], target=given["target"], reason=given["reason"], until=until)


def _names(setting: Mapping[str, Any], key: str, problems: list[ConfigurationError]) -> tuple[str, ...] | None:
    given = setting.get(key)
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(one, str) for one in given):
        problems.append(ConfigurationError(f'DBOPS["{key}"] is not a list of names'))
        return None
    return tuple(given)


def _flag(setting: Mapping[str, Any], key: str, problems: list[ConfigurationError]) -> bool:
    given = setting.get(key, True)
    if isinstance(given, bool):
        return given
    problems.append(ConfigurationError(f'DBOPS["{key}"] is not a bool', hint="True or False"))
    return True


def _positive(setting: Mapping[str, Any], key: str, default: float, problems: list[ConfigurationError]) -> float:
    given = setting.get(key, default)
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given) and given > 0:
        return given
    problems.append(ConfigurationError(f'DBOPS["{key}"] is not a number above 0', hint=f"its default is {default:g}"))
    return default


def _token(given: object, problems: list[ConfigurationError]) -> str | None:
    if given is None:
        return None
    if isinstance(given, str) and is_token(given):
        return given
    problems.append(
        ConfigurationError(
            f'DBOPS["HEALTH_TOKEN"] is not a text of at least {SHORTEST_TOKEN} characters without spaces',
            hint='make one with  python -c "import secrets; print(secrets.token_urlsafe(32))"',
        )
    )
    return None
