"""Column types as Django writes them and as the server prints them, and which of two holds more."""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from dbops.snapshot.key_columns import INTEGER_BOUNDS

_PARTS: Final = re.compile(
    r'(?P<name>[\w" .]+?) ?(?:\((?P<limits>[^)]*)\))?(?P<tail> with(?:out)? time zone)?(?P<array>(?:\[\d*\])*)'
)
#: Other words for the server's own types: what Django and people write, and what format_type() prints.
_NAMES: Final = {
    "varchar": "character varying",
    "char": "character",
    "bpchar": "character",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "smallserial": "smallint",
    "serial": "integer",
    "bigserial": "bigint",
    "bool": "boolean",
    "float": "double precision",
    "float4": "real",
    "float8": "double precision",
    "decimal": "numeric",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "varbit": "bit varying",
}
_BUILT_IN: Final = frozenset(_NAMES.values()) | frozenset(
    """
    bigint bit bytea cidr date daterange datemultirange inet int4multirange int4range int8multirange int8range interval
    json jsonb macaddr macaddr8 money nummultirange numrange oid point smallint text tsmultirange tsquery tsrange
    tstzmultirange tstzrange tsvector uuid xml
    """.split()
)

#: Types that hold the same, the narrower first.
_ORDERS: Final = (tuple(INTEGER_BOUNDS), ("real", "double precision"), ("character varying", "text"))


class Difference(Enum):
    """What the database's type is, beside the declared one."""

    NONE = auto()
    WIDER = auto()
    NARROWER = auto()
    OTHER = auto()
    UNKNOWN = auto()


@lru_cache(maxsize=4096)
def difference(declared: str, actual: str, base_type: str) -> Difference:
    """Return what the column's type `actual` (`base_type` without domain and length) is, beside the `declared` one.

    A declared type that is not the server's own may be anything: it is the same, or nothing is known. So is a type of
    the database's own that stands in for one of the server's.
    """
    wanted, found = _Type(declared), _Type(actual)
    if wanted == found:
        return Difference.NONE
    if not wanted.is_built_in:
        return Difference.NONE if wanted.bare == found.bare else Difference.UNKNOWN
    if not found.is_built_in:
        return Difference.NONE if _Type(base_type).name == wanted.name else Difference.UNKNOWN
    if wanted.array != found.array:
        return Difference.OTHER
    return _compared(wanted, found)


class _Type:
    """A type's spelling, taken apart."""

    def __init__(self, spelled: str) -> None:
        found = _PARTS.fullmatch(" ".join(spelled.split()))
        name = (found["name"] + (found["tail"] or "") if found else spelled).lower().strip()
        self.name = _NAMES.get(name, name)
        limits = found["limits"] if found else None
        self.limits = tuple(part.strip().lower() for part in limits.split(",")) if limits else ()
        self.array = bool(found and found["array"])
        if self.name == "character" and not self.limits:
            self.limits = ("1",)
        if self.name == "numeric" and len(self.limits) == 1:
            self.limits = (*self.limits, "0")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Type) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def is_built_in(self) -> bool:
        return self.name in _BUILT_IN

    @property
    def bare(self) -> tuple[str, tuple[str, ...], bool]:
        """Everything but the schema."""
        return self.name.rpartition(".")[2].strip('"'), self.limits, self.array

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(int(limit) for limit in self.limits)

    @property
    def _key(self) -> tuple[str, tuple[str, ...], bool]:
        return self.name, self.limits, self.array


def _compared(wanted: _Type, found: _Type) -> Difference:
    names = (wanted.name, found.name)
    order = next((order for order in _ORDERS if set(names) <= set(order)), None)
    if order is None:
        return Difference.OTHER if wanted.name != found.name else _by_limits(wanted, found)
    if wanted.name == found.name or (names == ("text", "character varying") and not found.limits):
        return _by_limits(wanted, found)
    return Difference.WIDER if order.index(found.name) > order.index(wanted.name) else Difference.NARROWER


def _by_limits(wanted: _Type, found: _Type) -> Difference:
    """Compare lengths, or digits and scale; no limit is the widest."""
    if not (found.limits and wanted.limits):
        return Difference.NARROWER if found.limits else Difference.WIDER
    if wanted.name != "numeric":
        return Difference.WIDER if found.numbers >= wanted.numbers else Difference.NARROWER
    (digits, scale), (found_digits, found_scale) = wanted.numbers, found.numbers
    is_wider = found_scale >= scale and found_digits - found_scale >= digits - scale
    return Difference.WIDER if is_wider else Difference.NARROWER
