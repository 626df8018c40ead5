from __future__ import annotations

import pytest
from rich.cells import cell_len

from dbops.render.page import MAX_PROSE_CELLS, Page, encodable, styled

LONG_NAME = "public." + "x" * 120


@pytest.mark.parametrize("width", [40, 80, 200])
def test_prose_keeps_within_the_width_and_loses_no_word(width: int) -> None:
    words = [f"word{number}" for number in range(200)]
    page = Page(width=width, colour=False)

    page.prose(" ".join(words), indent=4, hanging=2)

    lines = page.text().splitlines()
    assert " ".join(lines).split() == words
    assert all(cell_len(line) <= min(width, MAX_PROSE_CELLS) for line in lines)
    assert lines[0].startswith("    word0")
    assert all(line.startswith("      word") for line in lines[1:])


def test_wide_characters_are_counted_as_the_terminal_shows_them() -> None:
    page = Page(width=40, colour=False)

    page.prose("数据库 " * 30)

    assert max(cell_len(line) for line in page.text().splitlines()) <= 40


def test_a_long_name_is_never_broken() -> None:
    page = Page(width=40, colour=False)

    page.prose(f"the index {LONG_NAME} is invalid")

    assert LONG_NAME in page.text()


@pytest.mark.parametrize("colour", [False, True])
def test_code_is_never_wrapped(colour: bool) -> None:
    statement = "CREATE INDEX CONCURRENTLY a ON t (" + ", ".join(f"column_{number}" for number in range(60)) + ");"
    page = Page(width=40, colour=colour)

    page.code([statement], indent=4)

    assert page.text() == f"    {statement}\n"


def test_code_of_several_lines_is_indented_alike() -> None:
    page = Page(width=80, colour=False)

    page.code(["AlterField(\n    model_name='task',\n)"], indent=4)

    assert page.text() == "    AlterField(\n        model_name='task',\n    )\n"


def test_without_colour_there_is_no_escape_sequence_and_with_it_there_is() -> None:
    plain, coloured = Page(width=80, colour=False), Page(width=80, colour=True)
    for page in (plain, coloured):
        page.line(styled(("CRITICAL", "bold red"), " x"))

    assert plain.text() == "CRITICAL x\n"
    assert "\x1b[1;31mCRITICAL\x1b[0m" in coloured.text()


@pytest.mark.parametrize("variable", ["NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"])
def test_only_its_arguments_decide_how_it_looks(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "dumb" if variable == "TERM" else "7")
    coloured = Page(width=80, colour=True)
    coloured.prose(styled(("some words that are longer than seven cells", "bold red")))
    plain = Page(width=80, colour=False)
    plain.prose(styled(("some words that are longer than seven cells", "bold red")))

    assert coloured.text().startswith("\x1b[1;31m")
    assert plain.text() == "some words that are longer than seven cells\n"


def test_a_name_cannot_command_the_terminal() -> None:
    page = Page(width=80, colour=False)

    page.prose('public."a\x1b[2J\r\n\x07b\u202ec"')
    page.line("x\x9by\nz")
    page.code(["DROP TABLE \x1b]0;t\x07;"], indent=2)

    text = page.text()
    assert not {"\x1b", "\x07", "\x9b", "\r", "\u202e"} & set(text)
    assert len(text.splitlines()) == 3
    assert r"a\x1b[2J\r\n\x07b\u202ec" in text


def test_square_brackets_and_colons_are_text_and_no_markup() -> None:
    page = Page(width=80, colour=False)

    page.prose("public.[bold]x[/bold] :smiley: http://example.com 12")

    assert page.text() == "public.[bold]x[/bold] :smiley: http://example.com 12\n"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "a · b − c … ≥ größe 数"),
        ("ascii", r"a | b - c ... >= gr\xf6\xdfe \u6570"),
        ("latin-1", r"a · b - c ... >= größe \u6570"),
    ],
)
def test_what_an_encoding_lacks_is_written_plainly(encoding: str, shown: str) -> None:
    text = encodable("a · b − c … ≥ größe 数", encoding)

    assert text == shown
    assert text.encode(encoding)


def test_a_byte_that_was_no_text_can_be_printed() -> None:
    assert encodable("a\udcffb", "utf-8").encode()


def test_items_move_to_the_next_line_whole() -> None:
    page = Page(width=40, colour=False)

    page.items(styled("first · "), ["14 tables, 9.4 MB", "looked for 0.4 s", "2026-11-20"], separator=" · ", hanging=2)

    assert page.text() == "first · 14 tables, 9.4 MB ·\n  looked for 0.4 s · 2026-11-20\n"
