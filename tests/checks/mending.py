"""The round that every fix has to stand: applied, the finding goes; taken back, it is there again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.looking import apply, look, undo

if TYPE_CHECKING:
    from dbops.findings.finding import Finding
    from tests.servers import Database


def assert_mends(database: Database, check: str, finding: Finding, *, can_undo: bool = True, **options: Any) -> None:
    """Apply the fix of `finding` and see it gone, undo it and see it again with the same fix; leave it applied."""
    target = finding.target.name
    apply(database, finding.fix)
    assert target not in look(database, check, **options).targets
    if not can_undo:
        assert finding.fix is not None
        assert not finding.fix.undo
        return
    undo(database, finding.fix)
    (again,) = [one for one in look(database, check, **options).findings if one.target == finding.target]
    assert again.fix is not None
    assert finding.fix is not None
    assert (again.fix.sql, again.fix.undo) == (finding.fix.sql, finding.fix.undo)
    apply(database, finding.fix)
    assert target not in look(database, check, **options).targets
