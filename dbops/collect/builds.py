"""A second look at indexes that seem to have been left invalid.

The first look sees the catalogue as it was when it began, and the locks as they are when it comes to them: a build that
ends between the two would look like one that was given up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dbops.collect.session import ConnectionLostError, LookError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.collect.session import Session
    from dbops.snapshot.rows import Index

_STILL_INVALID: Final = """
    SELECT indexrelid::bigint AS oid FROM pg_index
    WHERE indexrelid::bigint = ANY(%s::bigint[]) AND NOT (indisvalid AND indisready AND indislive)
"""


def confirm_invalid(session: Session, indexes: Iterable[Index]) -> tuple[Index, ...]:
    """Return `indexes` with those marked as being built that have become valid, or gone, since they were read.

    Where the second look fails, of those that seem to have been left invalid it is not known whether they were.
    """
    indexes = tuple(indexes)
    suspects = {index.oid for index in indexes if not index.is_valid and index.is_being_built is False}
    if not suspects:
        return indexes
    try:
        with session.transaction():
            session.hide_schemas()
            left = {row["oid"] for row in session.read(_STILL_INVALID, [sorted(suspects)])}
    except (ConnectionLostError, LookError):
        return tuple(replace(index, is_being_built=None) if index.oid in suspects else index for index in indexes)
    finished = suspects - left
    return tuple(replace(index, is_being_built=True) if index.oid in finished else index for index in indexes)
