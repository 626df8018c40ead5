"""What docs/privileges.md says of a right is so: without it the reason is said, with it everything is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbops.collect.rights import RIGHTS
from dbops.snapshot.snapshot import SECTIONS, Snapshot
from tests.looking import snapshot_of

if TYPE_CHECKING:
    from tests.servers import Database


def unseen(snapshot: Snapshot, section: str) -> set[str]:
    """Why rows of `section` are incomplete; for indexes, the names of those of which it is not known."""
    rows = snapshot.section(section)
    assert isinstance(rows, tuple)
    if section == "indexes":
        return {row.name for row in rows if row.is_being_built is None}
    return {row.unseen for row in rows if row.unseen}


def make_a_shop(database: Database) -> None:
    database.execute("CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code int)")
    database.execute("INSERT INTO item (code) VALUES (1), (1)")
    with pytest.raises(Exception, match="could not create unique index"):
        database.execute("CREATE UNIQUE INDEX CONCURRENTLY item_code ON item (code)")
    vacuum = database.connect(autocommit=False)
    vacuum.execute("LOCK TABLE item IN SHARE UPDATE EXCLUSIVE MODE")


@pytest.mark.parametrize("section", RIGHTS)
def test_without_the_right_the_section_says_what_it_does_not_know(database: Database, section: str) -> None:
    make_a_shop(database)
    role = database.create_role(f"{database.name}_bare")
    assert unseen(snapshot_of(database, role=role), section)


def test_with_all_the_grants_nothing_is_unseen(database: Database) -> None:
    make_a_shop(database)
    role = database.create_role(f"{database.name}_granted")
    for right in RIGHTS.values():
        database.execute(right.grant.format(role=role, schema="public"))
    snapshot = snapshot_of(database, role=role)
    assert {section: unseen(snapshot, section) for section in RIGHTS} == {section: set() for section in RIGHTS}


def test_rights_are_stated_for_sections_that_exist() -> None:
    assert set(RIGHTS) <= set(SECTIONS)
