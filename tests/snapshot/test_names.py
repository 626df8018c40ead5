"""Names are written as the server writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbops.snapshot.names import MAX_NAME_BYTES, derived_name, qualified, quote_ident, quote_literal, truncate_name

if TYPE_CHECKING:
    from tests.servers import Database

NAMES = ["plain", "Mixed Case", "with space", 'with "quotes"', "größe", "1st", "a$b", "_", "", "a.b", "x" * 63]


def test_quoting_agrees_with_the_server_on_every_keyword_and_odd_name(database: Database) -> None:
    keywords = [word for (word,) in database.execute("SELECT word FROM pg_get_keywords()")]
    names = NAMES + keywords
    answer = database.execute(
        "SELECT array_agg(quote_ident(n) ORDER BY i) FROM unnest(%s::text[]) WITH ORDINALITY u(n, i)", names
    )
    here = dict(zip(names, map(quote_ident, names), strict=True))
    server = dict(zip(names, answer[0][0], strict=True))
    newer = {name for name in names if here[name] != server[name]}
    # A word that only a newer major reserves is quoted here always: quoted it means the same everywhere.
    assert all(here[name] == f'"{name}"' and server[name] == name for name in newer)
    assert not newer or database.major < 18


def test_a_literal_means_the_same_to_the_server(database: Database) -> None:
    for text in ("plain", "it's", "back\\slash", "\\'", ""):
        assert database.execute(f"SELECT {quote_literal(text)}") == [(text,)]


def test_parts_are_quoted_one_by_one() -> None:
    assert qualified("public", "Mixed Case", "id") == 'public."Mixed Case".id'


@given(st.text(min_size=1, max_size=100))
def test_a_name_is_cut_to_63_bytes_and_never_inside_a_character(name: str) -> None:
    kept = truncate_name(name)
    assert len(kept.encode()) <= MAX_NAME_BYTES
    assert name.startswith(kept)
    assert len(name.encode()) <= MAX_NAME_BYTES or len(kept.encode()) > MAX_NAME_BYTES - 4


@pytest.mark.parametrize("table", ["task", "t" * 70, "ж" * 40])
def test_a_derived_name_fits_and_keeps_its_suffix(table: str) -> None:
    name = derived_name(table, "user_id", suffix="idx")
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert name.endswith("_idx")
