"""When autovacuum comes to a table, by the rules of relation_needs_vacanalyze() in PostgreSQL's autovacuum.c."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dbops.snapshot.setting_rows import Setting
    from dbops.snapshot.vacuum_rows import RunningVacuum

#: How the server's parse_bool() reads the words for no: any beginning of them that is not ambiguous.
_FALSE: Final = ("false", "no", "off", "0")


def options_of(reloptions: Iterable[str]) -> Mapping[str, str]:
    """Return storage options by name, values as they were written."""
    return {name: value for name, _, value in (option.partition("=") for option in reloptions)}


def is_switched_off(reloptions: Iterable[str]) -> bool:
    """Return whether the options of a table keep autovacuum away from it (but for wraparound, which nothing does)."""
    value = options_of(reloptions).get("autovacuum_enabled", "true").lower()
    return any(word.startswith(value) and value != "o" for word in _FALSE)


@dataclass(frozen=True, slots=True)
class Autovacuum:
    """The server's autovacuum settings, and how many changes of a table they wait for."""

    settings: Mapping[str, Setting]

    @classmethod
    def of(cls, settings: Iterable[Setting]) -> Autovacuum:
        """Return what the settings that were seen say of autovacuum."""
        return cls({setting.name: setting for setting in settings})

    @property
    def is_on(self) -> bool:
        """Whether autovacuum works through the tables; it needs the counters of changes."""
        return self._word("autovacuum") == "on" and self._word("track_counts") == "on"

    @property
    def workers(self) -> int:
        """How many tables autovacuum works at at once."""
        return round(self._number("autovacuum_max_workers"))

    def hindrance(
        self, reloptions: Sequence[str], running: Iterable[RunningVacuum], *, what: str = "this table"
    ) -> str | None:
        """Return what keeps autovacuum from `what`, in words that can follow "but"; None when nothing is known to.

        Its workers are all busy when so many of `running` are known to be its own: others do a vacuum by hand.
        """
        if not self.is_on:
            return "it is off"
        if is_switched_off(reloptions):
            return f"it is switched off for {what}"
        busy = len({vacuum.pid for vacuum in running if vacuum.is_autovacuum})
        if busy >= self.workers:
            return f"its workers are all busy (autovacuum_max_workers is {self.workers})"
        return None

    def vacuum_trigger(self, row_estimate: int | None, reloptions: Sequence[str]) -> int:
        """Return above how many dead rows a table is vacuumed; the table's own options win over the server's."""
        trigger = self._trigger("autovacuum_vacuum", row_estimate, reloptions)
        # PostgreSQL 18 has a cap, -1 for none.
        most = self._chosen("autovacuum_vacuum_max_threshold", reloptions, lowest=-1)
        return trigger if most is None or most < 0 else min(trigger, int(most))

    def insert_trigger(self, row_estimate: int | None, reloptions: Sequence[str]) -> int | None:
        """Return above how many inserted rows a table is vacuumed, None for never.

        PostgreSQL 18 leaves out the pages that are frozen already, so that it may come sooner than said here.
        """
        threshold = self._chosen("autovacuum_vacuum_insert_threshold", reloptions, lowest=-1)
        if threshold is None or threshold < 0:
            return None
        return self._trigger("autovacuum_vacuum_insert", row_estimate, reloptions)

    def analyze_trigger(self, row_estimate: int | None, reloptions: Sequence[str]) -> int:
        """Return above how many changed rows a table is analyzed."""
        return self._trigger("autovacuum_analyze", row_estimate, reloptions)

    def failsafe_age(self, *, multixact: bool) -> int:
        """Return the age from which VACUUM drops all but freezing, of transaction ids or multixacts.

        As vacuum_xid_failsafe_check() has it: never lower than 1.05 times the age at which autovacuum is forced.
        """
        kind = "multixact_" if multixact else ""
        return max(
            round(self._number(f"vacuum_{kind}failsafe_age")), round(self.freeze_age(multixact=multixact) * 1.05)
        )

    def freeze_age(self, *, multixact: bool) -> int:
        """Return the age at which autovacuum is forced upon every table, as a matter of routine."""
        return round(self._number(f"autovacuum_{'multixact_' if multixact else ''}freeze_max_age"))

    def _trigger(self, prefix: str, row_estimate: int | None, reloptions: Sequence[str]) -> int:
        threshold = self._chosen(f"{prefix}_threshold", reloptions) or 0
        scale = self._chosen(f"{prefix}_scale_factor", reloptions) or 0
        return int(threshold + scale * (row_estimate or 0))

    def _chosen(self, name: str, reloptions: Sequence[str], *, lowest: int = 0) -> float | None:
        """Return the table's own value, else the server's; None where this server has no such setting."""
        own = options_of(reloptions).get(name)
        if own is not None and float(own) >= lowest:
            return float(own)
        return self._number(name) if name in self.settings else None

    def _number(self, name: str) -> float:
        return float(self._word(name) or 0)

    def _word(self, name: str) -> str | None:
        setting = self.settings.get(name)
        return setting.value if setting else None
