"""Sections as few bytes: by columns, as what has changed since earlier ones where these are kept too."""

from __future__ import annotations

import json
import zlib
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Final

from dbops.snapshot.snapshot import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

#: What tells the rows of a kept section apart; no field where there is only one row.
KEPT: Final[Mapping[str, tuple[str, ...]]] = {
    "server": (),
    "statistics_epoch": (),
    "statement_tracking": (),
    "database_statistics": (),
    "database_size": (),
    "table_statistics": ("oid",),
    "index_statistics": ("oid",),
    "statement_counters": ("query_id", "role_oid", "is_top_level"),
    "relation_sizes": ("oid",),
    "sequence_values": ("sequence_oid",),
    "key_ranges": ("table_oid", "column"),
    "database_ages": ("name",),
    "disk_space": ("place",),
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: Milliseconds are kept to the microsecond.
_FLOAT_SCALE: Final = 1000
_LEVEL: Final = 6


def pack(section: str, rows: Sequence[Any], earlier: Sequence[Any] | None = None) -> bytes:
    """Return `rows` of a kept section; with `earlier`, only how they differ from those, which `unpack` then needs.

    Times are kept to the microsecond, and so are milliseconds.
    """
    known = {} if earlier is None else {key: place for place, key in enumerate(map(_key_of(section), earlier))}
    before = [] if earlier is None else [_values(section, row) for row in earlier]
    places: list[int] = []
    differences: list[list[Any]] = []
    new: list[list[Any]] = []
    seen: set[int] = set()
    for row, key in zip(rows, map(_key_of(section), rows), strict=True):
        values, place = _values(section, row), known.get(key)
        if place is None:
            new.append(values)
            continue
        seen.add(place)
        if values != before[place]:
            places.append(place)
            differences.append([_difference(old, value) for old, value in zip(before[place], values, strict=True)])
    changed = sorted(zip(places, differences, strict=True), key=itemgetter(0))
    document = {
        "fields": list(_fields(section)),
        "places": _steps([place for place, _ in changed]),
        "differences": _columns([difference for _, difference in changed]),
        "new": _columns(new),
        "gone": _steps([place for place in range(len(before)) if place not in seen]),
    }
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), _LEVEL)


def unpack(section: str, packed: bytes, earlier: Sequence[Any] = ()) -> tuple[Any, ...]:
    """Return the rows that `pack` was given, which was given `earlier` too."""
    document = json.loads(zlib.decompress(packed))
    names, gone = document["fields"], set(_sums(document["gone"]))
    changed = dict(zip(_sums(document["places"]), _rows(document["differences"]), strict=True))
    rows = []
    for place, row in enumerate(earlier):
        if place in changed:
            rows.append(_row(section, names, map(_changed, _values(section, row, names), changed[place])))
        elif place not in gone:
            rows.append(row)
    return (*rows, *(_row(section, names, values) for values in _rows(document["new"])))


def join(parts: Mapping[str, bytes]) -> bytes:
    """Return packed sections as one text of bytes: a line of JSON that says how long each is, then they themselves."""
    header = json.dumps({name: len(part) for name, part in parts.items()}).encode()
    return b"\n".join([header, b"".join(parts.values())])


def part(joined: bytes | memoryview) -> dict[str, bytes]:
    """Return what `join` was given."""
    header, _, rest = bytes(joined).partition(b"\n")
    parts, place = {}, 0
    for name, length in json.loads(header).items():
        parts[name] = rest[place : place + length]
        place += length
    return parts


def _key_of(section: str) -> Callable[[Any], Any]:
    names = KEPT[section]
    return attrgetter(*names) if names else lambda _row: ()


def _fields(section: str) -> dict[str, str]:
    """Return the types of a row's fields by their names."""
    return {one.name: str(one.type) for one in fields(SECTIONS[section])}


def _values(section: str, row: Any, names: Iterable[str] | None = None) -> list[Any]:
    return [_written(getattr(row, name, None)) for name in names or _fields(section)]


def _written(value: Any) -> Any:
    if isinstance(value, float):
        return round(value * _FLOAT_SCALE)
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND
    return value


def _row(section: str, names: Iterable[str], values: Iterable[Any]) -> Any:
    """Return a row of values by their names; what an older version did not keep yet is None."""
    found = dict(zip(names, values, strict=True))
    return SECTIONS[section](**{name: _read(type_, found.get(name)) for name, type_ in _fields(section).items()})


def _read(type_: str, value: Any) -> Any:
    if value is None:
        return None
    if type_.startswith("float"):
        return value / _FLOAT_SCALE
    if type_.startswith("datetime"):
        return _EPOCH + value * _MICROSECOND
    return tuple(value) if isinstance(value, list) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _difference(old: Any, value: Any) -> Any:
    """Return by how much a number has changed; anything else as a list that holds it, an empty one for no change."""
    if _is_number(old) and _is_number(value):
        return value - old
    return [] if old == value else [value]


def _changed(old: Any, by: Any) -> Any:
    if isinstance(by, list):
        return by[0] if by else old
    return None if old is None else old + by  # None: a field that there is no more


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _rows(columns: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(row) for row in zip(*columns, strict=True)]


def _steps(places: Sequence[int]) -> list[int]:
    """Return rising numbers as the steps between them: small ones, which take less room."""
    return [place - before for before, place in pairwise([0, *places])]


def _sums(steps: Sequence[int]) -> list[int]:
    total, places = 0, []
    for step in steps:
        total += step
        places.append(total)
    return places
