"""A server that is there for a moment."""

from __future__ import annotations

import tempfile
from pathlib import Path

import psycopg
import pytest

from dbops.embedded import scratch
from dbops.embedded.binaries import installed_binaries
from dbops.embedded.scratch import scratch_server
from dbops.errors import EmbeddedServerError

MAJORS = [one.major for one in installed_binaries()]


def leftovers() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("dbops-scratch-*"))


@pytest.mark.parametrize("major", MAJORS)
def test_it_is_of_the_version_that_is_asked_for_and_gone_afterwards(major: int) -> None:
    before = leftovers()
    with scratch_server(major) as connection:
        assert connection.info.server_version // 10_000 == major
        assert leftovers() > before
    assert connection.closed
    assert leftovers() == before


@pytest.mark.skipif(not MAJORS, reason="there is no PostgreSQL here")
def test_another_version_does_where_that_one_is_missing() -> None:
    with scratch_server(max(MAJORS) + 1) as connection:
        assert connection.info.server_version // 10_000 == max(MAJORS)
    with scratch_server(min(MAJORS) - 1) as connection:
        assert connection.info.server_version // 10_000 == min(MAJORS)


@pytest.mark.skipif(not MAJORS, reason="there is no PostgreSQL here")
def test_it_goes_though_what_was_done_with_it_failed() -> None:
    before = leftovers()
    with pytest.raises(psycopg.errors.SyntaxError), scratch_server(max(MAJORS)) as connection:
        connection.execute("SELEKT")
    assert leftovers() == before


def test_no_place_for_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_PLACE", "/nowhere")
    with pytest.raises(EmbeddedServerError, match="no scratch server can be started"), scratch_server(15):
        pass
