"""What the project writes to its log."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db.backends.signals import connection_created

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.backends.base.base import BaseDatabaseWrapper

statements = logging.getLogger("dbops.statements")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """One JSON object per message: time, level, logger, message; `exception` where there was one; plain extras."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        for name, value in vars(record).items():
            if name not in _STANDARD and isinstance(value, str | int | float | bool):
                entry.setdefault(name, value)
        return json.dumps(entry, ensure_ascii=False)


def log_statements() -> None:
    """Log every statement of every connection made from now on, with its duration and without its parameters."""
    connection_created.connect(_watch, dispatch_uid="config.logs")


def _watch(connection: BaseDatabaseWrapper, **_signal: object) -> None:
    if _log_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_log_statement)


def _log_statement(
    execute: Callable[..., object], statement: object, parameters: object, many: bool, context: dict[str, Any]
) -> object:
    started = time.perf_counter()
    try:
        return execute(statement, parameters, many, context)
    finally:
        duration_ms = (time.perf_counter() - started) * 1000
        statements.info("%s %.1f ms: %s", context["connection"].alias, duration_ms, statement)
