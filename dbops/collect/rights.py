"""What a role must be allowed, section by section, to see everything; sections that are not listed need no right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Right:
    """What is needed, what is missed without it, and what gives it: `{role}` and `{schema}` stand for names.

    `checks` names those that miss anything, None all that read the section.
    """

    needs: str
    without: str
    grant: str
    checks: frozenset[str] | None = None


RIGHTS: Final[Mapping[str, Right]] = {
    "indexes": Right(
        needs="pg_monitor (of it, pg_read_all_stats)",
        without="while a table is being vacuumed, an invalid index of it cannot be told from one that is being built",
        grant="GRANT pg_monitor TO {role};",
        checks=frozenset({"invalid_index", "unindexed_foreign_key"}),
    ),
    "sequence_values": Right(
        needs="SELECT on the sequences",
        without="how full a sequence is stays unknown",
        grant="GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role};",
    ),
    "sequence_keys": Right(
        needs="SELECT on the columns that sequences feed, and row-level security that does not hide their rows",
        without="whether keys that exist already lie in a sequence's way stays unknown",
        grant="GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};",
    ),
    "key_ranges": Right(
        needs="SELECT on the integer keys that no sequence feeds, without row-level security that hides their rows",
        without="how far such keys are from the end of their type stays unknown",
        grant="GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};",
    ),
    "orphan_samples": Right(
        needs="SELECT on the columns of such relations and on the keys they point to, and on django_content_type",
        without="rows that point nowhere stay unknown",
        grant="GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};",
    ),
    "applied_migrations": Right(
        needs="SELECT on django_migrations",
        without="which migrations were applied stays unknown",
        grant="GRANT SELECT ON {schema}.django_migrations TO {role};",
    ),
    "sessions": Right(
        needs="pg_monitor (of it, pg_read_all_stats)",
        without="what sessions of other roles do stays unknown",
        grant="GRANT pg_monitor TO {role};",
    ),
    "horizon_holders": Right(
        needs="pg_monitor (of it, pg_read_all_stats)",
        without="since when a session of another role keeps dead rows from being removed stays unknown",
        grant="GRANT pg_monitor TO {role};",
        checks=frozenset({"held_horizon", "overdue_vacuum", "transaction_wraparound", "multixact_wraparound"}),
    ),
    "statement_activity": Right(
        needs="pg_monitor (of it, pg_read_all_stats)",
        without="statements of other roles, and what they cost, stay unknown",
        grant="GRANT pg_monitor TO {role};",
        checks=frozenset({"dominant_query", "regressed_query", "slow_query", "spilling_query"}),
    ),
    "disk_space": Right(
        needs="pg_monitor (of it, pg_read_all_settings)",
        without="where the server's files lie, and how full that file system is, stays unknown",
        grant="GRANT pg_monitor TO {role};",
    ),
    "column_statistics": Right(
        needs="SELECT on the columns of large tables and indexes, without row-level security that applies to the role",
        without="what the planner knows of them stays hidden, so that nothing is estimated from it",
        grant="GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};",
    ),
    "bloat_measurements": Right(
        needs="the extension pgstattuple, and pg_monitor (of it, pg_stat_scan_tables)",
        without="bloat is estimated only, with low confidence",
        grant="CREATE EXTENSION IF NOT EXISTS pgstattuple; GRANT pg_monitor TO {role};",
    ),
    "host_rules": Right(
        needs="SELECT on pg_hba_file_rules and EXECUTE on its function; a superuser for how passwords are kept",
        without="lines of pg_hba.conf that let in whoever comes, and passwords that are kept as MD5, stay unknown",
        grant="GRANT SELECT ON pg_hba_file_rules TO {role}; GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO {role};",
    ),
}


#: Without it, a right on what is in the schema is none.
USAGE: Final = "GRANT USAGE ON SCHEMA {schema} TO {role};"


def grants_of(rights: Iterable[Right]) -> list[str]:
    """Return the statements that give `rights`, each once, in an order in which they can be run."""
    grants = dict.fromkeys(f"{grant.strip()};" for right in rights for grant in right.grant.split(";") if grant.strip())
    return [*([USAGE] if any("{schema}" in grant for grant in grants) else []), *grants]


def rights_of(check: str, sections: Iterable[str]) -> list[Right]:
    """Return what a role must be allowed so that `check`, which reads `sections`, misses nothing."""
    found = (RIGHTS[section] for section in sorted(sections) if section in RIGHTS)
    return [right for right in found if right.checks is None or check in right.checks]
