"""What the role that looks may do with tables and their indexes, beside reading them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbops.collect.session import LookError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbops.collect.session import Session

#: As vacuum_is_permitted_for_relation() and RangeVarCallbackForReindexIndex() have it, and the owner of an index, who
#: is its table's, for dropping it. Locks: none.
_RIGHTS: Final = """
SELECT c.oid::bigint AS oid, pg_get_userbyid(c.relowner)::text AS owner,
       pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE') {maintain} AS may,
       pg_has_role(c.relowner, 'USAGE') {maintain} AS may_reindex,
       pg_has_role(c.relowner, 'USAGE') AS may_drop
FROM pg_class c CROSS JOIN pg_database d
WHERE d.datname = current_database() AND c.relkind IN ('r', 'p', 'm')
"""
_MAINTAIN: Final = "OR has_table_privilege(c.oid, 'MAINTAIN')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What the role may do with a table: VACUUM and ANALYZE it, REINDEX, drop an index of it; and whose it is."""

    may: bool
    may_reindex: bool = True
    may_drop: bool = True
    owner: str


def read_rights(session: Session, major: int) -> Mapping[int, Right] | None:
    """Return the rights by table, None where they cannot be read."""
    sql = _RIGHTS.format(maintain=_MAINTAIN if major >= 17 else "")
    try:
        with session.transaction():
            session.hide_schemas()
            return {row.pop("oid"): Right(**row) for row in session.read(sql)}
    except LookError:
        return None
