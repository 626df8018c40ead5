"""Environment variables, each declared once: its kind, its default and what it means.

An unset variable and an empty one are the same: compose files set what they do not have to nothing. What cannot be
read is refused with one line that names the variable and never shows its value, which may hold a password.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from dbops.conf import is_token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Value = TypeVar("Value")
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})
ALWAYS = "always"


def refused(message: str, hint: str) -> ImproperlyConfigured:
    """What to raise about the configuration: what is wrong, then what to do."""
    return ImproperlyConfigured(f"{message}\nHINT: {hint}")


@dataclass(frozen=True, kw_only=True)
class Variable(Generic[Value]):
    """A variable of the environment; `docs/configuration.md` says what it means.

    `parse` raises ValueError when it cannot read a text; `wanted` says what it reads. `default_text` says a default
    that depends on others. `applies` is where the variable has an effect. `also` is an older name.
    """

    name: str
    parse: Callable[[str], Value]
    wanted: str
    default: Value
    unit: str = ""
    default_text: str | None = None
    applies: str = ALWAYS
    also: str | None = None

    @property
    def shown_default(self) -> str:
        """The default as the documentation writes it."""
        if self.default_text is not None:
            return self.default_text
        if isinstance(self.default, bool):
            return "on" if self.default else "off"
        if isinstance(self.default, int | float):
            return f"{self.default:g} {self.unit}".rstrip()
        return f"{self.default or 'none'}"

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,) if self.also is None else (self.name, self.also)

    def is_mentioned(self) -> bool:
        """Whether the environment has the variable at all, be it empty."""
        return any(name in os.environ for name in self.names)

    def read(self) -> Value:
        for name in self.names:
            text = os.environ.get(name, "").strip()
            if text:
                try:
                    return self.parse(text)
                except ValueError:
                    raise refused(f"{name} cannot be read", f"it wants {self.wanted}") from None
        return self.default


def parse_flag(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError(text)


def parse_words(text: str) -> tuple[str, ...]:
    return tuple(word for part in text.split(",") if (word := part.strip()))


def parse_path(text: str) -> Path:
    return Path(text).expanduser().resolve()


def whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or int(text) < least:
            raise ValueError(text)
        return int(text)

    return parse


def parse_seconds(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(text)
    return value


def parse_positive(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value <= 0:
        raise ValueError(text)
    return value


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """Reads any case; gives the choice as it is written in `choices`."""
    by_folded = {choice.casefold(): choice for choice in choices}

    def parse(text: str) -> str:
        try:
            return by_folded[text.casefold()]
        except KeyError:
            raise ValueError(text) from None

    return parse


def parse_origins(text: str) -> tuple[str, ...]:
    origins = parse_words(text)
    if not all(origin.startswith(("http://", "https://")) for origin in origins):
        raise ValueError(text)
    return origins


def parse_redis_url(text: str) -> str:
    # An unencoded slash in a password puts its beginning where the port is read, with a ValueError that quotes it.
    if not text.startswith(("redis://", "rediss://", "unix://")) or urlsplit(text).port == 0:
        raise ValueError(text)
    return text


def parse_token(text: str) -> str:
    if not is_token(text):
        raise ValueError(text)
    return text
