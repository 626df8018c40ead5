"""What docs/privileges.md says of a right is so: without it the reason is said, with it everything is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbops.collect.rights import RIGHTS, USAGE, grants_of
from dbops.snapshot.relation_rows import LooseRelation
from dbops.snapshot.snapshot import SECTIONS, Snapshot, Unavailable
from tests.bloated import empty_a_table
from tests.looking import snapshot_of

if TYPE_CHECKING:
    from tests.servers import Database


LOOSE = LooseRelation(
    db_table="note",
    column="colour_id",
    content_type_column=None,
    content_type=None,
    target_table="colour",
    target_column="id",
    is_guarded=True,
)
#: What Django would show.
GIVEN = {"loose_relations": (LOOSE,)}


def unseen(snapshot: Snapshot, section: str) -> set[str]:
    """Why rows of `section` are incomplete or missing; for indexes and sessions, those of which it is not known."""
    if section == "statement_activity":  # made of counters, which are those of all roles or not
        (tracking,) = snapshot.sections["statement_tracking"]  # type: ignore[misc]
        return set() if tracking.sees_all_roles else {"statements of other roles"}
    rows = snapshot.section(section)
    if isinstance(rows, Unavailable):
        return {rows.reason}
    if section == "indexes":
        return {row.name for row in rows if row.is_being_built is None}
    if section in {"sessions", "horizon_holders"}:
        return {row.account if section == "sessions" else row.name for row in rows if row.is_hidden}
    if section == "column_statistics":
        return {row.column for row in rows if not row.is_visible}
    return {row.unseen for row in rows if getattr(row, "unseen", None)}


def make_a_shop(database: Database) -> None:
    database.execute("CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code int)")
    database.execute("INSERT INTO item (code) VALUES (1), (1)")
    with pytest.raises(Exception, match="could not create unique index"):
        database.execute("CREATE UNIQUE INDEX CONCURRENTLY item_code ON item (code)")
    database.execute("CREATE TABLE colour (id smallint PRIMARY KEY)")
    database.execute("CREATE TABLE note (id bigint PRIMARY KEY, colour_id smallint)")
    database.execute("CREATE TABLE django_migrations (id bigint, app text, name text, applied timestamptz)")
    empty_a_table(database)
    looker = database.connect(autocommit=False)
    looker.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    looker.execute("SELECT 1")
    vacuum = database.connect(autocommit=False)
    vacuum.execute("LOCK TABLE item IN SHARE UPDATE EXCLUSIVE MODE")


@pytest.mark.parametrize("section", RIGHTS)
def test_without_the_right_the_section_says_what_it_does_not_know(database: Database, section: str) -> None:
    make_a_shop(database)
    role = database.create_role(f"{database.name}_bare")
    if section == "bloat_measurements":  # what it cannot even estimate has to be larger to be measured
        database.execute(f"GRANT SELECT ON emptied TO {role}")
    assert unseen(snapshot_of(database, role=role, given=GIVEN), section)


def test_with_all_the_grants_nothing_is_unseen(database: Database) -> None:
    make_a_shop(database)
    role = database.create_role(f"{database.name}_granted")
    for grant in grants_of(RIGHTS.values()):
        database.execute(grant.format(role=role, schema="public"))
    snapshot = snapshot_of(database, role=role, given=GIVEN)
    assert {section: unseen(snapshot, section) for section in RIGHTS} == {section: set() for section in RIGHTS}


def test_rights_are_stated_for_sections_that_exist() -> None:
    assert set(RIGHTS) <= set(SECTIONS)


def test_each_grant_is_given_once_and_usage_first() -> None:
    grants = grants_of(RIGHTS.values())
    assert grants[0] == USAGE
    assert len(set(grants)) == len(grants)
    assert grants.count("GRANT pg_monitor TO {role};") == 1
    assert {grant for right in RIGHTS.values() for grant in right.grant.split("; ")} <= {
        spelling for grant in grants for spelling in (grant, grant.removesuffix(";"))
    }
    assert grants_of([RIGHTS["sessions"]]) == ["GRANT pg_monitor TO {role};"]
