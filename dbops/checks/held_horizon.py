"""Something old that keeps VACUUM from removing dead rows, in every table.

VACUUM removes a row only when nobody can see it any more. The oldest snapshot, or transaction that has written, decides
for all tables of its database; a standby or a replication slot for all tables of the server. While it is there, every
UPDATE and DELETE leaves a row for good: tables and indexes grow, scans read what is dead, and transaction ids are used
up. Autovacuum comes again and again and achieves nothing.

How to fix:

End a session, then find out why it was open: a transaction around work that takes long, a client that somebody forgot
(idle_in_transaction, long_transaction). A report that takes hours belongs on a standby.

A prepared transaction waits for its coordinator to COMMIT PREPARED or ROLLBACK PREPARED; where there is none any more,
roll it back. It outlives sessions and restarts, with its locks.

Drop a slot that nobody uses, if whoever used it is not coming back; it keeps WAL as well. Behind a slot that is in use
is a standby, which says what its own queries still need (hot_standby_feedback). End the long one there, or resume
replay where it is paused. Without hot_standby_feedback the standby's queries are cancelled instead when they conflict.

Not reported: what is younger than a million transaction ids, or younger than an hour, unless it is ten million or a day
(and at least ten thousand ids). Sessions and prepared transactions of other databases, which hold those alone; VACUUM,
which holds nothing. pg_dump and the server's own processes come to an end by themselves, and a logical slot holds the
system's tables only: they are told one step lower. On a standby only its sessions are judged, where
hot_standby_feedback is on. A transaction that wrote nothing holds no more than its present statement needs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Basis, Finding, Kind, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import format_count, format_seconds, plural
from dbops.snapshot.names import quote_ident, quote_literal
from dbops.snapshot.session_rows import DUMPS
from dbops.snapshot.vacuum_rows import HIDDEN_HOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dbops.findings.fix import Fix
    from dbops.snapshot.rows import Server
    from dbops.snapshot.setting_rows import Setting
    from dbops.snapshot.vacuum_rows import HorizonHolder

TAG = Tag.LIVE
FOR_HEALTH = True

_KINDS: Final = {"standby": Kind.REPLICA, "slot": Kind.SLOT, "logical slot": Kind.SLOT}
#: How long pg_terminate_backend() waits to see the process gone.
_PATIENCE_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class _Held:
    """A holder that is reported, and for how long its transaction has been open (None where nobody knows)."""

    holder: HorizonHolder
    open_s: float | None
    is_critical: bool


def check(
    server: tuple[Server, ...],
    settings: tuple[Setting, ...],
    horizon_holders: tuple[HorizonHolder, ...],
    *,
    held_xids: int = 1_000_000,  # as many rows may have died, and autovacuum has come by for nothing
    held_s: float = 3600,  # what takes less is work
    many_xids: int = 10_000_000,  # however short the time was
    long_s: float = 86_400,  # however few transactions there were
    few_xids: int = 10_000,  # fewer dead rows are no harm, even after a day
) -> Iterator[Finding | Unseen]:
    feedback = next((setting.value for setting in settings if setting.name == "hot_standby_feedback"), None)
    if server[0].is_standby and feedback != "on":
        return
    groups: dict[tuple[str, str], list[_Held]] = defaultdict(list)
    for holder in horizon_holders:
        if not _concerns(holder, server[0]):
            continue
        if holder.is_hidden:
            if holder.xid_age >= few_xids:
                yield Unseen(holder.name, HIDDEN_HOLDERS)
            continue
        open_s = _open_s(holder, server[0])
        is_old = holder.xid_age >= held_xids and (open_s is None or open_s > held_s)
        is_long = open_s is not None and open_s > long_s and holder.xid_age >= few_xids
        is_extreme = is_long or holder.xid_age >= many_xids
        if is_old or is_extreme:
            groups[holder.kind, holder.name].append(_Held(holder, open_s, is_old and is_extreme))
    for group in groups.values():
        worst = max(group, key=lambda one: (one.is_critical, one.holder.xid_age))
        yield Finding(
            target=Target(_KINDS.get(worst.holder.kind, Kind.SESSION), _name(worst.holder)),
            message=_message(worst, len(group)),
            severity=_severity(worst),
            basis=Basis.MEASURED,
            evidence=_evidence(worst, len(group)),
            fix=_fix(worst.holder, [one.holder for one in group]),
        )


def _concerns(holder: HorizonHolder, server: Server) -> bool:
    """Return whether rows of this database are held, the system's own included."""
    if server.is_standby and holder.kind != "session":
        return False
    return holder.database in {None, server.database}


def _open_s(holder: HorizonHolder, server: Server) -> float | None:
    """Return for how long its transaction has been open; None of slots and standbys, of which nobody knows."""
    return None if holder.started_at is None else (server.observed_at - holder.started_at).total_seconds()


def _name(holder: HorizonHolder) -> str:
    return quote_ident(holder.name) if holder.kind in {"slot", "logical slot"} else holder.name


def _is_dump(holder: HorizonHolder) -> bool:
    return holder.kind == "session" and holder.name.rpartition("@")[2] in DUMPS


def _severity(held: _Held) -> Severity:
    if held.holder.kind in {"process", "logical slot"} or _is_dump(held.holder):
        return Severity.WARNING if held.is_critical else Severity.INFO
    return Severity.CRITICAL if held.is_critical else Severity.WARNING


def _message(held: _Held, count: int) -> str:
    worst, who = held.holder, str(held.holder)
    if worst.kind == "prepared transaction":
        who += f", prepared {format_seconds(held.open_s or 0)} ago,"
    elif worst.kind in {"slot", "logical slot"}:
        who += ", which nobody uses," if worst.pid is None else f", in use by pid {worst.pid},"
    elif held.open_s is not None:
        who += f", whose transaction has been open for {format_seconds(held.open_s)},"
    where = "table of this database"
    if worst.kind in {"slot", "standby"}:
        where = "table of any database"
    elif worst.kind == "logical slot":
        where = "table of the system, such as pg_attribute"
    said = (
        f"{who[0].upper()}{who[1:]} holds what died in the last {format_count(worst.xid_age)} transactions: VACUUM "
        f"can remove none of it, in any {where}."
    )
    if count > 1:
        said += f" So {'does' if count - 1 == 1 else 'do'} {format_count(count - 1)} more by that name."
    if _is_dump(worst):
        said += " A dump of that length is better taken from a standby."
    return said


def _evidence(held: _Held, count: int) -> dict[str, int | float | str]:
    evidence: dict[str, int | float | str] = {
        "holder": held.holder.kind,
        "xid_age": held.holder.xid_age,
        "holders": count,
    }
    if held.open_s is not None:
        evidence["open_s"] = int(held.open_s)
    if held.holder.pid is not None:
        evidence["pid"] = held.holder.pid
    return evidence


def _fix(worst: HorizonHolder, group: Sequence[HorizonHolder]) -> Fix | None:
    """Return what lets go; None of what ends by itself, and where it cannot be said which transaction it is."""
    match worst.kind:
        case "session" if not _is_dump(worst):
            return _end_sessions(group)
        case "prepared transaction":
            return Statements(
                sql=(f"ROLLBACK PREPARED {quote_literal(worst.name)};",), in_transaction=False, is_local=True
            ).fix(
                caution="what it did is lost: COMMIT PREPARED instead where its coordinator has committed; needs its "
                "owner or a superuser, in this database"
            )
        case "slot" | "logical slot" if worst.pid is None:
            return Statements(
                sql=(f"SELECT pg_drop_replication_slot({quote_literal(worst.name)});",), is_local=True
            ).fix(
                caution="whoever used it has to be set up anew afterwards: make sure that nobody comes back for it; "
                "needs a superuser or REPLICATION"
            )
        case "slot" | "standby" if worst.started_at is None:
            reload = "SELECT pg_reload_conf();"
            return Statements(
                sql=("ALTER SYSTEM SET hot_standby_feedback = off;", reload),
                undo=("ALTER SYSTEM SET hot_standby_feedback = on;", reload),
                in_transaction=False,
                is_local=True,
            ).fix(
                caution="run it on the standby, not here, and only if ending its long queries (or, where it is paused, "
                "pg_wal_replay_resume()) is no way: its queries are cancelled then when they conflict with VACUUM"
            )
    return None


def _end_sessions(group: Sequence[HorizonHolder]) -> Fix | None:
    starts = {one.pid: one.started_at.astimezone(UTC).isoformat(" ") for one in group if one.pid and one.started_at}
    if len(starts) < len(group):
        return None
    which = ", ".join(f"({pid}, '{start}')" for pid, start in sorted(starts.items()))
    sql = (
        f"SELECT pg_terminate_backend(pid, {_PATIENCE_MS}) FROM pg_stat_activity WHERE (pid, xact_start) IN ({which});"
    )
    whom = "the session" if len(starts) == 1 else plural(len(starts), "session")
    return Statements(sql=(sql,), is_local=True).fix(
        caution=f"ends {whom}: what was not committed is rolled back; needs its role, pg_signal_backend or a superuser"
    )
