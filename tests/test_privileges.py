"""docs/privileges.md, check by check: what it promises a role sees, that role sees; what is missing, it is told.

Each check looks at a database full of faults four times: as superuser, as a role with nothing but a connection, as a
member of pg_monitor, and as a role with the very grants that are documented for it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest

from config.faults import FAULTS, SHOP
from dbops.analysis.registry import checks
from dbops.collect.postgres import with_needs
from dbops.collect.rights import grants_of, rights_of
from dbops.findings.finding import Kind
from dbops.snapshot.relation_rows import LooseRelation
from dbops.snapshot.rows import DjangoSettings
from dbops.snapshot.snapshot import SECTIONS
from tests.activity_builders import a_window
from tests.looking import Looked, snapshot_of
from tests.security_builders import a_database
from tests.windows import Before, look_over

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Database

#: What Django would show: a relation without a constraint, an application in production.
GIVEN: Final[dict[str, Any]] = {
    "loose_relations": (
        LooseRelation(
            db_table="note",
            column="voucher_id",
            content_type_column=None,
            content_type=None,
            target_table="voucher",
            target_column="id",
            is_guarded=True,
        ),
    ),
    "generic_relations": (),
    "migrations": (),
    "django_settings": (DjangoSettings(use_tz=True, debug=False, is_asgi_only=False),),
    "django_databases": (a_database(),),
    "normal_forms": (),
    **{name: () for name in SECTIONS if name.startswith("declared_")},
}
MORE: Final = (
    "CREATE TABLE django_migrations (id bigint PRIMARY KEY, app text, name text, applied timestamptz)",
    "CREATE TABLE note (id bigint PRIMARY KEY, voucher_id bigint)",
    "INSERT INTO note SELECT n, n + 1000000 FROM generate_series(1, 50) n",
    "CREATE TABLE tenant (id smallint PRIMARY KEY, owner text)",
    "INSERT INTO tenant SELECT n, 'x' FROM generate_series(1, 32000) n",
    "ALTER TABLE tenant ADD UNIQUE (owner, id)",
    "CREATE POLICY mine ON tenant USING (owner = current_user)",
    "CREATE FUNCTION shout() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT 'x' $$",
    "GRANT CREATE ON SCHEMA public TO PUBLIC",
    "ALTER TABLE order_line SET (autovacuum_enabled = off)",
)


#: What a history would show where nothing was kept of this kind.
NO_HISTORY: Final[dict[str, Any]] = dict.fromkeys(
    ("growth", "index_uses", "index_servers", "earlier_statement_activity"), ()
)


@dataclass(frozen=True)
class Faulty:
    """A database full of faults, and what was counted two days before they came."""

    database: Database
    before: Before

    @property
    def name(self) -> str:
        return self.database.name

    def create_role(self, name: str, *, pg_monitor: bool = False) -> str:
        return self.database.create_role(name, pg_monitor=pg_monitor)

    def execute(self, statement: str) -> None:
        self.database.execute(statement)


@pytest.fixture
def faulty(database: Database) -> Iterator[Faulty]:
    """A database with the faults of the demo and more, and a session that holds a transaction open."""
    database.execute("CREATE EXTENSION pg_stat_statements")
    before = Before(snapshot_of(database), earlier=timedelta(days=2))
    fails = tuple(fault.sql[-1] for fault in FAULTS if fault.fails)
    for statement in (*SHOP, *(sql for fault in FAULTS for sql in fault.sql if sql not in fails), *MORE):
        database.execute(statement)
    for statement in fails:
        with pytest.raises(psycopg.errors.IntegrityError):
            database.execute(statement)
    database.execute("SELECT pg_stat_force_next_flush()")
    database.execute("VACUUM ANALYZE")
    with ExitStack() as opened:
        holding = opened.enter_context(database.connect(autocommit=False))
        # What keeps an index from being seen as left over for certain, and a transaction that is idle.
        holding.execute("LOCK TABLE voucher IN SHARE UPDATE EXCLUSIVE MODE")
        yield Faulty(database, before)


def looks(database: Faulty, role: str | None) -> dict[str, Looked]:
    return {check: look_as(database, check, role) for check in checks()}


def look_as(faulty: Faulty, check: str, role: str | None) -> Looked:
    earlier = {"earlier_statement_window": a_window(hours=24 * 7)}
    return look_over(faulty.database, check, faulty.before, role=role, sections={**GIVEN, **NO_HISTORY, **earlier})


def shown(looked: Looked) -> set[tuple[Kind, str]]:
    """What was found, but for the settings of the very role that looked and what it may do."""
    found = {(finding.target.kind, finding.target.name) for finding in looked.findings}
    return found - {(Kind.SETTING, "pg_stat_statements.max")}  # other tests make room in it between two looks


#: What no grant gives, as docs/privileges.md says.
OF_SUPERUSERS: Final = {"weak_authentication": "only a superuser sees how passwords are kept: pg_authid"}
#: Their right is needed in situations that their own tests make: a session that waits, a server that is full, a table
#: that is being vacuumed, one that VACUUM comes to in vain, a key or the transaction ids nearly used up, or tables
#: of a hundred megabytes.
RARELY_NEEDED: Final = frozenset(
    {
        "blocked_lock",
        "saturated_connections",
        "unindexed_foreign_key",
        "mismatched_foreign_key",
        "overdue_vacuum",
        "held_horizon",
        "transaction_wraparound",
        "multixact_wraparound",
        "bloated_index",
        "bloated_table",
        "low_cardinality_index",
    }
)
#: Checks that judge the role that looks: another role is another answer, and no right is missing.
OF_THE_ROLE: Final = frozenset({"overprivileged_role", "missing_timeouts", "misconfigured_pool"})


def differences(database: Faulty, role: str, everything: dict[str, Looked], check: str) -> str | None:
    """Say what `role` saw less than everything without being told; None if nothing."""
    seen = look_as(database, check, role)
    if check not in OF_THE_ROLE and shown(seen) != shown(everything[check]) and seen.result.reason is None:
        return f"missed {shown(everything[check]) - shown(seen)} in silence, or invented {shown(seen)}"
    return None


def test_no_role_misses_anything_in_silence(faulty: Faulty) -> None:
    everything = looks(faulty, None)
    assert sum(bool(looked.findings) for looked in everything.values()) > 15
    for role in (
        faulty.create_role(f"{faulty.name}_bare"),
        faulty.create_role(f"{faulty.name}_monitor", pg_monitor=True),
    ):
        silent = {check: differences(faulty, role, everything, check) for check in checks()}
        assert not {check: said for check, said in silent.items() if said}, role


def test_where_nothing_is_documented_a_connection_is_enough(faulty: Faulty) -> None:
    bare = faulty.create_role(f"{faulty.name}_bare")
    reasons = {
        check.id: (look_as(faulty, check.id, bare).result.reason, look_as(faulty, check.id, None).result.reason)
        for check in checks().values()
        if not rights_of(check.id, with_needs(check.sections))
    }
    assert not {check: both for check, both in reasons.items() if both[0] not in {None, both[1]}}


def test_what_is_documented_is_needed_and_enough(faulty: Faulty) -> None:
    bare = faulty.create_role(f"{faulty.name}_bare")
    everything = looks(faulty, None)
    needless, missing = [], {}
    for check in checks().values():
        rights = rights_of(check.id, with_needs(check.sections))
        if not rights:
            continue
        if check.id not in RARELY_NEEDED and look_as(faulty, check.id, bare).result.reason is None:
            needless.append(check.id)
        role = faulty.create_role(f"{faulty.name}_{check.id}"[:63])
        for grant in grants_of(rights):
            faulty.execute(grant.format(role=role, schema="public"))
        seen = look_as(faulty, check.id, role)
        is_other = check.id not in OF_THE_ROLE and shown(seen) != shown(everything[check.id])
        if is_other or seen.result.reason != OF_SUPERUSERS.get(check.id, everything[check.id].result.reason):
            missing[check.id] = seen.result.reason
        faulty.execute(f"DROP OWNED BY {role}")
    assert not missing
    assert not needless
