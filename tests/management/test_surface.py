"""Where results are written: what a terminal can show, and files that are never seen half written."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from dbops.errors import UsageError
from dbops.management.surface import Surface, check_writable, write_whole


class Terminal(io.StringIO):
    encoding = "iso8859-1"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "132")


# what it can show


def test_a_terminal_has_colours_its_width_and_its_encoding() -> None:
    assert Surface.of(Terminal()) == Surface(width=132, colour=True, encoding="iso8859-1")


def test_a_pipe_has_no_colours() -> None:
    assert Surface.of(io.StringIO()) == Surface(width=132, colour=False, encoding="utf-8")


def test_colours_can_be_forbidden_and_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Surface.of(Terminal(), no_color=True).colour
    assert Surface.of(io.StringIO(), force_color=True).colour
    monkeypatch.setenv("TERM", "dumb")
    assert not Surface.of(Terminal()).colour


def test_without_a_width_100_cells_are_taken_and_never_less_than_40(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "3")
    assert Surface.of(io.StringIO()).width == 40
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(os, "get_terminal_size", lambda _descriptor: os.terminal_size((0, 0)))
    assert Surface.of(io.StringIO()).width == 100


# files


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("old")
    file.chmod(0o640)

    with file.open() as reader:
        write_whole(file, "näu")
        assert reader.read() == "old"

    assert file.read_text(encoding="utf-8") == "näu"
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_file_gets_the_permissions_that_the_umask_gives(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_whole(tmp_path / "new", "x")
    finally:
        os.umask(old)

    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_behind_a_symbolic_link_the_file_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "file")

    write_whole(link, "x")

    assert link.is_symlink()
    assert (tmp_path / "there" / "file").read_text() == "x"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """As a device is, with which a mistake would cost more than this test."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, "x")

        assert os.read(reading, 100) == b"x"
        assert pipe.is_fifo()
    finally:
        os.close(reading)


def test_a_file_that_cannot_be_written_is_said_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_arguments: object, **_named: object) -> None:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)

    with pytest.raises(UsageError, match=r"report: no space left on device"):
        write_whole(tmp_path / "report", "x")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no directory"):
        check_writable(tmp_path / "none" / "report")
    with pytest.raises(UsageError, match="it is a directory"):
        check_writable(tmp_path)
    check_writable(tmp_path / "report")
    check_writable(Path("report"))
