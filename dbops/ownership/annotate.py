"""Findings in the project's own terms: whose they are, how bad that makes them, and the operation that mends them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dbops.findings.finding import Kind, Location, Ownership, Severity, added
from dbops.findings.fix import join_fixes
from dbops.ownership.naming import is_made_up
from dbops.ownership.operations import with_operation
from dbops.snapshot.amounts import format_bytes, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from dbops.findings.finding import Finding
    from dbops.findings.fix import Fix
    from dbops.ownership.owners import Owners
    from dbops.snapshot.schema import Schema

#: Checks that find indexes which others make superfluous.
_SUPERFLUOUS: Final = frozenset({"duplicate_index", "redundant_index"})
_ELSEWHERE: Final = frozenset({Ownership.CONTRIB, Ownership.THIRD_PARTY})
_CAUTION: Final = "Django makes them again in every database that migrate builds, the tests' too"


def annotate(
    findings: Iterable[Finding], owners: Owners, schema: Schema, *, structural: Collection[str]
) -> tuple[Finding, ...]:
    """Return `findings` with their owners, and what follows from that.

    What a check of `structural` (ids) says about somebody else's tables is information. The operation that does what
    the fix does is added where the model is one's own. Superfluous indexes that Django itself put on automatic
    many-to-many tables become one piece of information per app and check.
    """
    annotated: list[Finding] = []
    links: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        owned = _owned(finding, owners, schema, structural)
        if _is_made_for_link(owned, owners, schema):
            links[owned.check, owned.owner.app_label or ""].append(owned)
        else:
            annotated.append(owned)
    return (*annotated, *_rolled_up(links.values(), owners))


def _owned(finding: Finding, owners: Owners, schema: Schema, structural: Collection[str]) -> Finding:
    if finding.target.kind is Kind.MIGRATION:
        owner = owners.of_migration(finding.target.name)
    else:
        owner = owners.owner(schema, finding.location)
    severity, fix = finding.severity, finding.fix
    if owner.ownership in _ELSEWHERE and finding.check in structural:
        severity = Severity.INFO
    if owner.ownership is Ownership.MINE and fix is not None and finding.location is not None:
        fix = with_operation(fix, finding.location, owners, schema)
        if finding.check in _SUPERFLUOUS and fix.operation is not None and owner.migration is not None:
            fix = _unless_hand_made(fix, finding.location, str(finding.evidence.get("kept")), owners, schema)
    return replace(finding, owner=owner, severity=severity, fix=fix)


def _unless_hand_made(fix: Fix, location: Location, kept: str, owners: Owners, schema: Schema) -> Fix:
    """Return `fix` without its operation, and with a warning, where no migration makes the table's index that stays.

    The models' own index would go everywhere, and the other one is in this database alone.
    """
    indexes = schema.indexes_of(location.table_oid)
    index = next((index for index in indexes if index.qualified_name == kept), None)
    if index is None or index.is_primary:
        return fix
    if owners.owner(schema, Location(table_oid=index.table_oid, index=index.name)).migration is not None:
        return fix
    caution = (
        f"no migration is known to make {kept}, which stays: other databases would be left with neither, so declare "
        "that one in the model first, or drop it instead of this one"
    )
    return replace(fix, operation=None, caution="; ".join(filter(None, (fix.caution, caution))))


def _is_made_for_link(finding: Finding, owners: Owners, schema: Schema) -> bool:
    """Whether a superfluous index is one that Django makes for every many-to-many field without a model of its own."""
    location = finding.location
    if finding.check not in _SUPERFLUOUS or location is None or location.index is None:
        return False
    table = owners.table(schema, location.table_oid)
    return table is not None and table.link is not None and is_made_up(location.index)


def _rolled_up(groups: Iterable[Sequence[Finding]], owners: Owners) -> Iterator[Finding]:
    """Iterate over one finding for each group.

    Its target is the index whose migration comes first, so that it keeps its fingerprint when a newer table joins.
    """

    def age(finding: Finding) -> tuple[int, str]:
        return owners.history.position(finding.owner.app_label or "", finding.owner.migration), finding.target.name

    for group in groups:
        first, *others = sorted(group, key=age)
        fix = join_fixes([first.fix, *(finding.fix for finding in others)])
        sums = added(group, ("size_bytes", "writes"))
        size_bytes = sums.get("size_bytes")
        size = f" ({format_bytes(size_bytes)})" if isinstance(size_bytes, int) else ""
        count = plural(len(group), "index", "indexes")
        repeat = "repeats" if len(group) == 1 else "repeat"
        message = (
            f"The automatic many-to-many tables of {first.owner.app_label} carry {count}{size} that only {repeat} what "
            "another one begins with: a write each for every link that is added. Django makes one with every such "
            "field, and no migration operation can leave it out."
        )
        yield replace(
            first,
            message=message,
            severity=Severity.INFO,
            evidence={"indexes": len(group), **sums},
            fix=fix and replace(fix, caution="; ".join(filter(None, (fix.caution, _CAUTION)))),
            rolled_up=tuple(finding.target.name for finding in others),
        )
