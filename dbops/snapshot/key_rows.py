"""The rows of the section that tells how far the keys go which no sequence feeds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRange:
    """The smallest and the largest key in a smallint or integer column that is a key and that no sequence feeds.

    Both None with `unseen` None: no rows. `unseen` says why they could not be read.
    """

    table_oid: int
    column: int
    smallest_key: int | None
    largest_key: int | None
    unseen: str | None
