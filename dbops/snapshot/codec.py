"""Snapshots as JSON and back: what was seen in one place can be judged in another, or again later."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import datetime
from functools import cache
from typing import Any, Final, get_args, get_origin, get_type_hints

from dbops.errors import DbopsError
from dbops.snapshot.snapshot import SECTIONS, Section, Snapshot, Unavailable

#: Version of the file's shape; a file of another version is refused.
FORMAT: Final = 1


class SnapshotFileError(DbopsError):
    """the snapshot cannot be read"""


def dump(snapshot: Snapshot) -> str:
    """Return `snapshot` as one JSON object. Each section is `{"rows": […]}` or `{"unavailable": reason}`."""
    document = {
        "format": FORMAT,
        "alias": snapshot.alias,
        "database": snapshot.database,
        "taken_at": snapshot.taken_at,
        "duration_ms": snapshot.duration_ms,
        "interrupted": snapshot.interrupted,
        "sections": {
            name: {"unavailable": section.reason}
            if isinstance(section, Unavailable)
            else {"rows": [asdict(row) for row in section]}
            for name, section in snapshot.sections.items()
        },
    }
    return json.dumps(document, default=datetime.isoformat)


def load(text: str) -> Snapshot:
    """Return the snapshot that `dump` wrote.

    Raises:
        SnapshotFileError: it is not one, or another version's.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            message = f"the snapshot has format {document['format']}, this version reads {FORMAT}"
            raise SnapshotFileError(message, hint="take it again with this version of dbops")
        return Snapshot(
            alias=document["alias"],
            database=document["database"],
            taken_at=datetime.fromisoformat(document["taken_at"]),
            duration_ms=document["duration_ms"],
            sections={name: _section(name, section) for name, section in document["sections"].items()},
            interrupted=document["interrupted"],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"this is not a snapshot: {type(error).__name__} {error}"
        raise SnapshotFileError(message) from error


def _section(name: str, section: dict[str, Any]) -> Section:
    if "unavailable" in section:
        return Unavailable(section["unavailable"])
    decoders = _decoders(name)
    return tuple(SECTIONS[name](**{key: decoders[key](value) for key, value in row.items()}) for row in section["rows"])


@cache
def _decoders(section: str) -> dict[str, Any]:
    row_class = SECTIONS[section]
    hints = get_type_hints(row_class)
    return {field.name: _decoder(hints[field.name]) for field in fields(row_class)}


def _decoder(hint: Any) -> Any:
    """Return what turns JSON's value back into the field's: arrays into tuples, ISO text into moments."""
    if hint is datetime:
        return datetime.fromisoformat
    if datetime in get_args(hint):
        return lambda value: None if value is None else datetime.fromisoformat(value)
    if get_origin(hint) is tuple:
        inner = _decoder(get_args(hint)[0])
        return lambda values: tuple(inner(value) for value in values)
    return lambda value: value
