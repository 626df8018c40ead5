"""What a role must be allowed, section by section, to see everything; sections that are not listed need no right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Right:
    """What is needed, what is missed without it, and what gives it: `{role}` and `{schema}` stand for names."""

    needs: str
    without: str
    grant: str


RIGHTS: Final[Mapping[str, Right]] = {
    "indexes": Right(
        needs="pg_monitor (of it, pg_read_all_stats)",
        without="while a table is being vacuumed, an invalid index of it cannot be told from one that is being built",
        grant="GRANT pg_monitor TO {role};",
    ),
    "sequence_values": Right(
        needs="SELECT on the sequences",
        without="how full a sequence is stays unknown",
        grant="GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role};",
    ),
    "sequence_keys": Right(
        needs="SELECT on the columns that sequences feed, and row-level security that does not hide their rows",
        without="a sequence that lags behind its table's keys stays unknown",
        grant="GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};",
    ),
}
