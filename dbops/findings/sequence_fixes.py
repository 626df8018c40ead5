"""Statements that move sequences, for the fixes of several checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.snapshot.names import quote_literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.snapshot.key_columns import TableColumn
    from dbops.snapshot.rows import Sequence


def catch_up(sequence: Sequence, columns: Iterable[TableColumn]) -> str:
    """Return the statement that moves the sequence on to the last key, which it finds itself: rows may have come since.

    A sequence that stands there, or ahead of it, is not touched: another session may be taking values from it, whose
    rows cannot be seen yet. One that counts in steps stays in step, since others may fill the gaps.
    """
    last, furthest, beyond = ("max", "GREATEST", ">") if sequence.increment > 0 else ("min", "LEAST", "<")
    keys = [f"(SELECT {last}({column.quoted}) FROM {column.table.qualified_name})" for column in columns]
    key = f"{furthest}({', '.join(keys)})" if len(keys) > 1 else keys[0]
    step, position, is_ahead = sequence.increment, "last_key", f"last_key {beyond} last_value"
    if abs(step) > 1:
        steps = f"div(last_key - last_value, {step})"
        position, is_ahead = f"last_value + {step} * {steps}::bigint", f"{steps} > 0"
    return (
        f"SELECT setval({quote_literal(sequence.qualified_name)}, {position}) "
        f"FROM (SELECT {key} AS last_key) AS keys, {sequence.qualified_name} "
        f"WHERE {is_ahead} OR last_key {beyond}= last_value AND NOT is_called;"
    )


def put_back(sequence: Sequence, last_value: int, *, is_called: bool) -> str:
    """Return the statement that sets the sequence to where it stood."""
    return f"SELECT setval({quote_literal(sequence.qualified_name)}, {last_value}, {str(is_called).lower()});"
