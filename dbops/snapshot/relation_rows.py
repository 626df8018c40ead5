"""The rows of the sections about relations that only Django keeps: no constraint of the database upholds them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseRelation:
    """A foreign key with db_constraint=False, or a generic one with one of the models it can point to.

    `content_type_column` and `content_type` (`shop.order`) are a generic one's, else None. `is_guarded` says whether
    Django, deleting a row that is pointed to, sees to those that point to it.
    """

    db_table: str
    column: str
    content_type_column: str | None
    content_type: str | None
    target_table: str
    target_column: str
    is_guarded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanSample:
    """Rows of a table, looked at for whether what they point to is there.

    `sampled_rows` points somewhere, `orphan_rows` of them nowhere; `is_whole` when these are all rows of the table.
    `unseen` says why nothing was looked at. `content_type_column` is the number of a generic relation's, else None.
    """

    table_oid: int
    column: int
    content_type_column: int | None
    target_oid: int
    is_guarded: bool
    is_whole: bool
    sampled_rows: int | None
    orphan_rows: int | None
    unseen: str | None
