"""Databases that run out of transaction ids or multixacts: what both checks of it say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Basis, Confidence, Finding, Kind, Severity, Target, Unseen
from dbops.snapshot.amounts import format_count, listed
from dbops.snapshot.autovacuum import Autovacuum
from dbops.snapshot.forecast import by_subject, forecast
from dbops.snapshot.names import qualified, quote_ident
from dbops.snapshot.vacuum_rows import HIDDEN_HOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.activity_rows import Growth
    from dbops.snapshot.forecast import Forecast
    from dbops.snapshot.rows import Server
    from dbops.snapshot.setting_rows import Setting
    from dbops.snapshot.vacuum_rows import DatabaseAge, HorizonHolder, TableAge

#: How many ids there are ahead of the oldest one: half of what 32 bits hold.
IDS: Final = 2**31
#: So many ids before the end the server refuses to give out more (varsup.c, multixact.c).
_RESERVED: Final = 3_000_000
#: An age that is so many times the routine one is no routine, though a busy server comes there while VACUUM is at work.
_OVERDUE: Final = 2
#: More tables than these are vacuumed with their whole database.
_NAMED_TABLES: Final = 5
_LONG: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wraparound:
    """One kind of ids, what was seen of their use on a server, and from which age on it is reported.

    With their `growth`, an age that is well beyond routine is reported earlier where less than `days_left` are left
    until the server refuses to give out more, and is critical with less than `critical_days_left`.
    """

    multixact: bool
    server: Server
    settings: tuple[Setting, ...]
    databases: tuple[DatabaseAge, ...]
    tables: tuple[TableAge, ...]
    holders: tuple[HorizonHolder, ...]
    growth: tuple[Growth, ...]
    used_ratio: float
    days_left: float
    critical_days_left: float

    def findings(self) -> Iterator[Finding | Unseen]:
        """Iterate over a finding per database that is old: a warning, or red once VACUUM itself would hurry.

        With it comes what is not known of who holds it: since when a session does, which decides for multixacts.
        """
        for database in self.databases:
            age = self._age(database)
            is_old, is_red = age >= min(self._old_age, self._failsafe_age), age >= self._failsafe_age
            ahead = forecast(self._growth, IDS - _RESERVED - age)
            sure = ahead if ahead and age >= _OVERDUE * self._routine_age else None
            if not (is_old or (sure and sure.is_within(self.days_left))):
                continue
            is_close = sure is not None and sure.is_within(self.critical_days_left)
            is_foretold = not is_old or (is_close and not is_red)
            yield Finding(
                target=Target(Kind.DATABASE, quote_ident(database.name)),
                message=self._message(database, age, ahead),
                severity=Severity.CRITICAL if is_red or is_close else Severity.WARNING,
                confidence=Confidence.MEDIUM if is_foretold else Confidence.HIGH,
                basis=Basis.ESTIMATED if is_foretold else Basis.MEASURED,
                evidence={
                    "multixact_age" if self.multixact else "xid_age": age,
                    "used_ratio": round(age / IDS, 4),
                    "remaining": max(IDS - _RESERVED - age, 0),
                    "failsafe_age": self._failsafe_age,
                    **(ahead.evidence("multixacts_per_day" if self.multixact else "xids_per_day") if ahead else {}),
                },
                fix=self._fix() if database.is_here and not self.server.is_standby else None,
                is_red=is_red,
            )
            if any(holder.is_hidden for holder in (self.holders if self.multixact else self._holders)):
                yield Unseen(database.name, HIDDEN_HOLDERS)

    @property
    def _autovacuum(self) -> Autovacuum:
        return Autovacuum.of(self.settings)

    @property
    def _failsafe_age(self) -> int:
        return self._autovacuum.failsafe_age(multixact=self.multixact)

    @property
    def _old_age(self) -> int:
        """The age that is no routine: never below what autovacuum is told to let a table reach."""
        return round(max(self.used_ratio * IDS, self._routine_age * 1.05))

    @property
    def _routine_age(self) -> int:
        return self._autovacuum.freeze_age(multixact=self.multixact)

    @property
    def _growth(self) -> Growth | None:
        return by_subject(self.growth).get(("multixact" if self.multixact else "xid", 0, 0, ""))

    def _age(self, row: DatabaseAge | TableAge) -> int:
        return row.multixact_age if self.multixact else row.xid_age

    @property
    def _old_tables(self) -> Sequence[TableAge]:
        """This database's old tables, oldest first."""
        oldest = sorted(self.tables, key=self._age, reverse=True)
        return [table for table in oldest if self._age(table) >= min(self._old_age, self._failsafe_age)]

    @property
    def _holders(self) -> Sequence[HorizonHolder]:
        """Who keeps old rows from being frozen; for multixacts, which nobody shows, who may be the one."""
        if not self.multixact:
            return [one for one in self.holders if one.xid_age >= min(self._old_age, self._failsafe_age)]
        return [one for one in self.holders if one.kind == "prepared transaction" or self._is_long(one)]

    def _is_long(self, holder: HorizonHolder) -> bool:
        since = holder.started_at
        return holder.kind == "session" and since is not None and self.server.observed_at - since > _LONG

    def _message(self, database: DatabaseAge, age: int, ahead: Forecast | None) -> str:
        ids = "multixacts" if self.multixact else "transaction ids"
        refused = "every statement that needs one, which is most locking of rows" if self.multixact else "every write"
        used = f"{format_count(age)} of {format_count(IDS)} {ids} are used since the oldest that {database.name} still"
        said = [f"{used} holds; at the end the server refuses {refused}."]
        if ahead and ahead.days_left:
            said[0] += ahead.words()
        if database.is_here and self._old_tables:
            said.append(self._of_table(self._old_tables[0]))
        elif not database.is_here:
            said.append("It can only be vacuumed in a session of its own.")
        if self._holders:
            names = listed([str(holder) for holder in self._holders])
            said.append(f"VACUUM {'may change' if self.multixact else 'changes'} nothing while it is held by {names}.")
        return " ".join(said)

    @staticmethod
    def _of_table(table: TableAge) -> str:
        name = qualified(table.schema, table.name)
        if table.is_temporary:
            return f"The oldest is in {name}, a temporary table that only its own session can vacuum or drop."
        return f"The oldest is in {'the TOAST table of ' if table.is_toast else ''}{name}."

    def _fix(self) -> Fix:
        names = [qualified(table.schema, table.name) for table in self._old_tables if not table.is_temporary]
        sql = tuple(f"VACUUM {name};" for name in dict.fromkeys(names))
        cautions = [f"freezes nothing until {holder} has ended" for holder in self._holders if not self.multixact]
        cautions.append("reads all that is not frozen yet, beside reads and writes, and needs the tables' owner")
        few = 0 < len(sql) <= _NAMED_TABLES
        return Statements(sql=sql if few else ("VACUUM;",), in_transaction=False).fix(caution="; ".join(cautions))
