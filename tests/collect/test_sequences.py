"""Whether a sequence's keys can be read without reading a whole table, and as whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbops.snapshot.snapshot import Unavailable
from tests.looking import snapshot_of

if TYPE_CHECKING:
    from tests.servers import Database

pytestmark = pytest.mark.parametrize("server", ["pg18"], indirect=True)

SPOIL = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass"
NO_INDEX = "no index leads with it, so that finding its last key would read the whole table"


def unseen(database: Database, role: str | None = None) -> str | None:
    """Why the one fed column's keys could not be read."""
    keys = snapshot_of(database, role=role).section("sequence_keys")
    assert not isinstance(keys, Unavailable), keys
    (key,) = keys
    return None if key.unseen is None else str(key.unseen)


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("SELECT 1", NO_INDEX),
        ("CREATE INDEX ON item (id)", None),
        ("CREATE INDEX ON item (id, name)", None),
        ("CREATE INDEX ON item (name, id)", NO_INDEX),
        ("CREATE INDEX ON item (id) WHERE id > 5", NO_INDEX),
        ("CREATE INDEX ON item USING hash (id)", NO_INDEX),
        (f"CREATE INDEX half ON item (id); {SPOIL}", NO_INDEX),
    ],
)
def test_keys_are_read_along_an_index_or_not_at_all(database: Database, index: str, reason: str | None) -> None:
    database.execute("CREATE TABLE item (id serial, name text)")
    database.execute(index)
    assert unseen(database) == reason


def test_the_right_to_read_the_column_is_enough(database: Database) -> None:
    database.execute("CREATE TABLE item (id serial PRIMARY KEY, secret text)")
    role = database.create_role(f"{database.name}_reader")
    database.execute(f"GRANT SELECT ON SEQUENCE item_id_seq TO {role}")
    assert unseen(database, role) == "no SELECT on it"
    database.execute(f"GRANT SELECT (id) ON item TO {role}")
    assert unseen(database, role) is None
