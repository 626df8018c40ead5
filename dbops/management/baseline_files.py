"""The file that a baseline is kept in: JSON in a stable order, so that a change of it reads well as a difference."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dbops import __version__
from dbops.errors import UsageError
from dbops.findings.baseline import Baseline, Entry
from dbops.findings.finding import Severity
from dbops.management.surface import write_whole

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION: Final = 1
_KEYS: Final = tuple(field.name for field in fields(Entry))
_HINT: Final = "manage.py dbanalyze --write-baseline FILE makes one"


def read_baseline(path: Path) -> Baseline:
    """Return the baseline in a file.

    Raises:
        UsageError: there is none that can be read.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot read the baseline {path}: {(error.strerror or str(error)).lower()}"
        raise UsageError(message, hint=_HINT) from error
    except ValueError as error:
        message = f"the baseline {path} is not JSON"
        raise UsageError(message, hint=f"{error}; {_HINT}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA_VERSION:
        found = document.get("schema") if isinstance(document, dict) else None
        message = f"the baseline {path} is not of schema {SCHEMA_VERSION}"
        raise UsageError(message, hint=f"its schema is {found!r}; {_HINT}")
    try:
        return _baseline(document)
    except (KeyError, TypeError, ValueError) as error:
        message = f"the baseline {path} cannot be understood"
        raise UsageError(message, hint=f"{_fault(error)}; {_HINT}") from error


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write `baseline` to a file, whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    document = {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "dbops", "version": __version__},
        "written_at": baseline.written_at.isoformat(timespec="seconds"),
        "findings": [asdict(entry) for entry in baseline.entries],
    }
    write_whole(path, json.dumps(document, indent=1) + "\n")


def _baseline(document: dict[str, Any]) -> Baseline:
    written_at = datetime.fromisoformat(document["written_at"])
    return Baseline(written_at=written_at, entries=tuple(_entry(one) for one in document["findings"]))


def _entry(given: dict[str, Any]) -> Entry:
    values = {key: given[key] for key in _KEYS}
    wrong = [key for key, value in values.items() if not isinstance(value, str)]
    if wrong:
        message = f"a finding's {wrong[0]} is not a text"
        raise ValueError(message)
    return Entry(**(values | {"severity": Severity(values["severity"])}))


def _fault(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
