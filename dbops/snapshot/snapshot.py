"""What was seen of one database at one moment: frozen rows by section, or why a section could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003  read at run time by the codec
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dbops.snapshot import rows

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Every section and the class of its rows.
SECTIONS: Final[Mapping[str, type[Any]]] = {
    "server": rows.Server,
    "locked_relations": rows.LockedRelation,
    "tables": rows.Table,
    "columns": rows.Column,
    "indexes": rows.Index,
    "constraints": rows.Constraint,
    "sequences": rows.Sequence,
    "sequence_values": rows.SequenceValue,
    "sequence_keys": rows.SequenceKey,
    "relation_sizes": rows.RelationSize,
    "table_statistics": rows.TableStatistics,
    "index_statistics": rows.IndexStatistics,
    "django_settings": rows.DjangoSettings,
    "generic_relations": rows.GenericRelation,
}


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A section that could not be read, and why: one line, lower case, naming the remedy where there is one."""

    reason: str


Section: TypeAlias = tuple[Any, ...] | Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look at one database.

    `alias` is Django's name for it, None for a bare DSN. A section that is absent was not asked for.
    `interrupted` says why the look ended early, when it did.
    """

    alias: str | None
    database: str
    taken_at: datetime
    duration_ms: int
    sections: Mapping[str, Section] = field(default_factory=dict)
    interrupted: str | None = None

    def section(self, name: str) -> Section:
        """Return the rows of section `name`, or why there are none.

        Raises:
            KeyError: there is no such section.
        """
        if name not in SECTIONS:
            raise KeyError(name)
        return self.sections.get(name, Unavailable(f"{name} was not collected"))

    @property
    def server(self) -> rows.Server | None:
        """The server's row, None when even that could not be read."""
        section = self.section("server")
        return None if isinstance(section, Unavailable) else section[0]
