"""Rows about how relations are filled with sensible defaults, for the pure tests."""

from __future__ import annotations

from typing import Any, Final

from dbops.snapshot.storage_rows import BloatMeasurement, ColumnStatistics, RelationPages

MB: Final = 1024**2
PAGE: Final = 8192


def column_statistics_of(column: int = 1, **values: Any) -> ColumnStatistics:
    """What ANALYZE found in a bigint of table 1 that is unique and never NULL."""
    given: dict[str, Any] = {
        "relation_oid": 1,
        "length": 8,
        "alignment": "d",
        "is_visible": True,
        "null_ratio": 0.0,
        "distinct_values": -1.0,
        "width_bytes": 8,
        "frequencies": None,
        "frequent_values": None,
    }
    return ColumnStatistics(column=column, **{**given, **values})


def hidden_statistics_of(column: int = 1, **values: Any) -> ColumnStatistics:
    """What a role sees of a column that it may not SELECT."""
    nothing = dict.fromkeys(("null_ratio", "distinct_values", "width_bytes", "frequencies", "frequent_values"))
    return column_statistics_of(column, is_visible=False, **{**nothing, **values})


def pages_of(oid: int = 1, kind: str = "r", *, size_bytes: int = 0, rows: int | None = 0, **values: Any) -> Any:
    """The pages of table 1, or of something of it."""
    given: dict[str, Any] = {
        "table_oid": 1,
        "page_bytes": PAGE,
        "pages": size_bytes // PAGE,
        "unsettled_pages": 0,
        "options": (),
        "is_deduplicated": kind == "i",
    }
    return RelationPages(oid=oid, kind=kind, row_estimate=rows, **{**given, **values})


def measured(oid: int = 1, **values: Any) -> BloatMeasurement:
    """What pgstattuple saw."""
    return BloatMeasurement(oid=oid, **values)
