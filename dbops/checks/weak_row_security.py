"""Row-level security that does not hold, or holds at a price.

A policy says which rows a role may see and write. It means nothing while row-level security is off for its table, and
nothing tells you so: every query goes on working and shows every row. Nor does it mean anything to the table's owner,
unless row-level security is forced, and an application whose role runs the migrations owns its tables. With row-level
security on and no policy at all nobody but the owner sees anything. Permissive policies add up, so that one whose
condition is true for every row makes the others useless; a WITH CHECK that is always true lets rows be handed to
anybody. And a condition that calls current_setting(), or a function of yours without arguments, calls it again for
every row that is looked at, while the same call in a sub-select is made once.

How to fix:

ALTER TABLE … ENABLE ROW LEVEL SECURITY puts the policies into force: for every role but the table's owner, superusers
and those with BYPASSRLS. They hold for an application that owns its tables only after FORCE ROW LEVEL SECURITY; then
migrations see what the policies admit, and pg_dump by the owner fails: let a role with BYPASSRLS do these. Better
still, let one role own the tables and migrate, and another one work with them. Try it on a copy: what the policies do
not admit disappears without an error.

An always-true policy is dropped where others are there to take its place; WITH CHECK gets the condition that the rows
have to fulfil to be seen. A call is put into a sub-select: (SELECT current_setting('app.tenant')).

Not reported: databases without any policy. A policy for named roles that shows them everything, one that is there for
restrictive policies to narrow, one that lets everybody read, or add, where no other policy says less; calls within
sub-selects; partitions without policies of their own. An owner whom no policy means, or none that would keep a row from
it; with --dsn no owner at all, as it is a person who looks then. While DEBUG is on, owners are information only.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from dbops.findings.changes import Statements
from dbops.findings.finding import Confidence, Finding, Kind, Location, Severity, Tag, Target, Unseen
from dbops.snapshot.amounts import listed, plural
from dbops.snapshot.names import qualified, quote_ident
from dbops.snapshot.policy_calls import calls_per_row, with_calls_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dbops.snapshot.rows import DjangoSettings, Server, Table
    from dbops.snapshot.schema import Schema
    from dbops.snapshot.security_rows import Policy, RowSecurity

TAG = Tag.STRUCTURAL

_ALL: Final = "*"
_COMMANDS: Final = {_ALL: "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}
#: Commands with which a row that is there already is changed or taken away.
_CHANGING: Final = frozenset({_ALL, "w", "d"})
_TRUE: Final = "true"


def check(
    schema: Schema,
    row_security: tuple[RowSecurity, ...],
    policies: tuple[Policy, ...],
    server: tuple[Server, ...],
    django_settings: tuple[DjangoSettings, ...] | None = None,
) -> Iterator[Finding | Unseen]:
    if not policies:
        return
    by_table: dict[int, list[Policy]] = defaultdict(list)
    for policy in policies:
        by_table[policy.table_oid].append(policy)
    seen = [(table, one) for one in row_security if (table := schema.tables.get(one.table_oid)) and not table.extension]
    for table, one in seen:
        if one.is_enabled:
            yield from _enabled(table, one, by_table[table.oid])
    for root, tables in _by_root(schema, (table for table, one in seen if not one.is_enabled)):
        yield _switched_off(root, tables, by_table)
    if django_settings is not None:
        passed_by = (table for table, one in seen if _is_passed_by(one, by_table[table.oid]))
        for root, tables in _by_root(schema, passed_by):
            yield _owned(root, tables, server[0].role, in_development=django_settings[0].debug)


def _by_root(schema: Schema, tables: Iterable[Table]) -> Iterator[tuple[Table, list[Table]]]:
    """Iterate over the topmost tables of `tables`, with those of them that are each one's or its partitions."""
    found: dict[int, list[Table]] = defaultdict(list)
    for table in tables:
        found[schema.root(table).oid].append(table)
    return ((schema.tables[oid], group) for oid, group in found.items())


def _enabled(table: Table, security: RowSecurity, policies: Sequence[Policy]) -> Iterator[Finding | Unseen]:
    if not policies and not table.is_partition:
        yield _without_policy(table, security)
    for policy in policies:
        yield from _judged(table, policy, [other for other in policies if other is not policy])


def _is_passed_by(security: RowSecurity, policies: Sequence[Policy]) -> bool:
    """Whether the role that looked, as the table's owner, has rows that a policy meant for it, too, does not admit."""
    is_exempt = security.is_enabled and security.is_own and not security.is_forced
    return is_exempt and any(policy.is_for_us and not _is_always_true(policy) for policy in policies)


def _switched_off(root: Table, tables: Sequence[Table], policies: dict[int, list[Policy]]) -> Finding:
    count = sum(len(policies[table.oid]) for table in tables)
    names = [table.qualified_name for table in tables]
    others = tuple(name for name in names if name != root.qualified_name)
    told = plural(count, "policy", "policies")
    means = "means" if count == 1 else "mean"
    which = f"{told} of {listed(names)} {means}" if others else f"Its {told} {means}"
    return Finding(
        target=Target(Kind.TABLE, root.qualified_name),
        message=f"{which} nothing, for row-level security is off: whoever was granted the table has all its rows.",
        evidence={"policies": count},
        fix=Statements(
            sql=tuple(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;" for name in names),
            undo=tuple(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY;" for name in names),
        ).fix(caution="rows that no policy admits disappear for every role but the owner and those that bypass it"),
        location=Location(table_oid=root.oid),
        rolled_up=others,
    )


def _owned(root: Table, tables: Sequence[Table], role: str, *, in_development: bool) -> Finding:
    names = [table.qualified_name for table in tables]
    others = tuple(name for name in names if name != root.qualified_name)
    which = f"of {listed(names)} " if others else ""
    return Finding(
        target=Target(Kind.TABLE, root.qualified_name),
        message=(
            f"No policy {which}holds for {quote_ident(role)}, as which the application works: an owner passes by them "
            "unless row-level security is forced, so that it sees and writes every row."
        ),
        severity=Severity.INFO if in_development else Severity.WARNING,
        fix=Statements(
            sql=tuple(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY;" for name in names),
            undo=tuple(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY;" for name in names),
        ).fix(
            caution="rows that no policy admits disappear for the owner too, in migrations as well, and its pg_dump "
            "fails: let a role with BYPASSRLS do these"
        ),
        location=Location(table_oid=root.oid),
        rolled_up=others,
    )


def _without_policy(table: Table, security: RowSecurity) -> Finding:
    whom = "nobody, not even its owner," if security.is_forced else "nobody but its owner"
    return Finding(
        target=Target(Kind.TABLE, table.qualified_name),
        message=f"Row-level security is on and there is no policy: {whom} sees or writes a row.",
        severity=Severity.INFO,
        location=Location(table_oid=table.oid),
    )


def _judged(table: Table, policy: Policy, others: Sequence[Policy]) -> Iterator[Finding | Unseen]:
    name = qualified(table.schema, table.name, policy.name)
    if not policy.is_readable:
        yield Unseen(name, "locked by another session")
        return
    found = _always_true(table, policy, others) or _unchecked(table, policy, others) or _calling(table, policy)
    if found is not None:
        yield found


def _always_true(table: Table, policy: Policy, others: Sequence[Policy]) -> Finding | None:
    condition = policy.with_check if policy.command == "a" else policy.using
    if condition != _TRUE or not _is_for_everybody(policy, others):
        return None
    useless = [other for other in others if _overlaps(policy, other) and not _is_always_true(other)]
    if policy.command not in _CHANGING and not useless:
        return None
    admits = f"The policy admits every row to everybody, FOR {_COMMANDS[policy.command]}"
    if useless:
        names = listed([quote_ident(other.name) for other in useless])
        have = "has" if len(useless) == 1 else "have"
        admits += f": permissive policies add up, so that {names} {have} no effect there"
    fix = None
    if useless:
        fix = Statements(
            sql=(f"DROP POLICY {quote_ident(policy.name)} ON {table.qualified_name};",),
            undo=(_create(table, policy),),
        ).fix(caution="only the rows that the other policies admit are left")
    return Finding(
        target=Target(Kind.POLICY, qualified(table.schema, table.name, policy.name)),
        message=f"{admits}.",
        evidence={"command": _COMMANDS[policy.command]},
        fix=fix,
        location=Location(table_oid=table.oid),
    )


def _unchecked(table: Table, policy: Policy, others: Sequence[Policy]) -> Finding | None:
    """The policy picks the rows that may be changed, and lets them become anything."""
    if policy.with_check != _TRUE or policy.using in {None, _TRUE} or not _is_for_everybody(policy, others):
        return None
    alter = f"ALTER POLICY {quote_ident(policy.name)} ON {table.qualified_name} WITH CHECK"
    return Finding(
        target=Target(Kind.POLICY, qualified(table.schema, table.name, policy.name)),
        message=(
            "The policy says which rows one may see and change, and its WITH CHECK (true) lets them become anybody's: "
            "rows can be handed to others, or put among theirs."
        ),
        evidence={"command": _COMMANDS[policy.command]},
        fix=Statements(sql=(f"{alter} ({policy.using});",), undo=(f"{alter} ({_TRUE});",)).fix(
            caution="writes that the condition does not admit fail"
        ),
        location=Location(table_oid=table.oid),
    )


def _calling(table: Table, policy: Policy) -> Finding | None:
    calls = calls_per_row(policy.using or "", policy.stable_calls)
    if policy.using is None or not calls:
        return None
    alter = f"ALTER POLICY {quote_ident(policy.name)} ON {table.qualified_name} USING"
    are = "is" if len(calls) == 1 else "are"
    rows = "" if table.row_estimate is None else f" The table has {plural(table.row_estimate, 'row')}."
    return Finding(
        target=Target(Kind.POLICY, qualified(table.schema, table.name, policy.name)),
        message=(
            f"Wherever no index answers the condition, {listed(list(calls))} {are} called for every row that is looked "
            f"at; in a sub-select, once for the statement.{rows}"
        ),
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,
        evidence={} if table.row_estimate is None else {"rows": table.row_estimate},
        fix=Statements(
            sql=(f"{alter} ({with_calls_once(policy.using, policy.stable_calls)});",),
            undo=(f"{alter} ({policy.using});",),
        ).fix(),
        location=Location(table_oid=table.oid),
    )


def _is_for_everybody(policy: Policy, others: Sequence[Policy]) -> bool:
    """Whether the policy opens the table to all roles, and no restrictive one is there to narrow it."""
    narrowed = any(not other.is_permissive and _overlaps(policy, other) for other in others)
    return policy.is_permissive and not policy.roles and not narrowed


def _is_always_true(policy: Policy) -> bool:
    return _TRUE in {policy.using, policy.with_check} and {policy.using, policy.with_check} <= {_TRUE, None}


def _overlaps(one: Policy, other: Policy) -> bool:
    return one.command == other.command or _ALL in {one.command, other.command}


def _create(table: Table, policy: Policy) -> str:
    statement = f"CREATE POLICY {quote_ident(policy.name)} ON {table.qualified_name} FOR {_COMMANDS[policy.command]}"
    if policy.using is not None:
        statement += f" USING ({policy.using})"
    if policy.with_check is not None:
        statement += f" WITH CHECK ({policy.with_check})"
    return f"{statement};"
