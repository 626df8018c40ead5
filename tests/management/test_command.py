"""What every dbops command shares: how it ends, and what it says when it cannot do it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import load_command_class
from django.core.management.base import CommandError
from django.test import override_settings

from dbops.errors import ConfigurationError, DbopsError
from dbops.management.command import DbopsCommand, Exit

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from tests.management.conftest import Runner


class Echo(DbopsCommand):
    """Takes words, and ends as it is told to."""

    help = "Say nothing."
    examples = (("manage.py echo a b", "two words"),)

    def __init__(self, end: Exit | BaseException = Exit.FINE) -> None:
        super().__init__()
        self.end = end
        self.options: dict[str, Any] = {}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("words", nargs="*")

    def run(self, **options: Any) -> Exit:
        self.options = options
        if isinstance(self.end, BaseException):
            raise self.end
        self.stdout.write("done")
        return self.end


OFF = """dbops is switched off here: DBOPS["ENABLED"] is False
HINT: the reference project takes it from DB_OPTIMIZATION_ENABLED"""
NAME = __name__.rpartition(".")[2]


# how it ends


@pytest.mark.parametrize("code", Exit)
def test_the_process_ends_with_the_code_that_the_command_gives(dbanalyze: Runner, code: Exit) -> None:
    ended = dbanalyze.command(Echo(code))

    assert (ended.code, ended.out, ended.err) == (int(code), "done\n", "")


def test_where_dbops_is_switched_off_a_command_that_advises_says_so_and_fails(dbanalyze: Runner) -> None:
    advising = Echo()
    advising.needs_advice = True  # type: ignore[misc]  # a subclass would say it of its class
    for command, ended in ((advising, (2, "", f"{NAME}: {OFF}\n")), (Echo(), (0, "done\n", ""))):
        with override_settings(DBOPS={"ENABLED": False}):
            found = dbanalyze.command(command)
        assert (found.code, found.out, found.err) == ended
    assert dbanalyze.command(advising).out == "done\n"


@pytest.mark.parametrize("name", ["dbanalyze", "dbqueries"])
def test_the_commands_that_advise_are_switched_off_with_dbops(dbanalyze: Runner, name: str) -> None:
    with override_settings(DBOPS={"ENABLED": False}):
        found = dbanalyze.command(load_command_class("dbops", name))
    assert (found.code, found.out, found.err) == (2, "", f"{name}: {OFF}\n")


def test_the_codes_are_those_that_were_promised() -> None:
    assert {code.name: int(code) for code in Exit} == {
        "FINE": 0,
        "FOUND": 1,
        "FAILED": 2,
        "INCOMPLETE": 3,
        "WARNED": 4,
        "BUSY": 5,
    }


@pytest.mark.parametrize("codes", [codes for size in range(4) for codes in itertools.permutations(Exit, size)])
def test_of_several_codes_failed_wins_then_found_incomplete_warned_busy(codes: tuple[Exit, ...]) -> None:
    order = [Exit.FAILED, Exit.FOUND, Exit.INCOMPLETE, Exit.WARNED, Exit.BUSY, Exit.FINE]

    assert Exit.worst(codes) is min(codes, key=order.index, default=Exit.FINE)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DbopsError("no such thing", hint="try another"), f"{NAME}: no such thing\nHINT: try another\n"),
        (ConfigurationError(), f"{NAME}: the configuration cannot be used\n"),
        (CommandError("Django's own"), f"{NAME}: Django's own\n"),
        (ImproperlyConfigured("a setting"), f"{NAME}: a setting\n"),
        (FileNotFoundError(2, "No such file or directory", "dump"), f"{NAME}: dump: no such file or directory\n"),
        (KeyboardInterrupt(), f"{NAME}: interrupted\n"),
        (DbopsError(""), f"{NAME}: dbops could not do it\n"),
    ],
)
def test_what_went_wrong_is_one_line_then_its_hint_and_ends_with_2(
    dbanalyze: Runner, error: BaseException, said: str
) -> None:
    ended = dbanalyze.command(Echo(error))

    assert (ended.code, ended.out, ended.err) == (2, "", said)


def test_a_defect_is_shown_in_full_and_ends_with_2_rather_than_1(dbanalyze: Runner) -> None:
    ended = dbanalyze.command(Echo(ZeroDivisionError("by nothing")))

    assert ended.code == 2
    assert "Traceback" in ended.err
    assert ended.err.endswith(
        f"{NAME}: crashed with ZeroDivisionError\nHINT: this is a defect of dbops: please report it\n"
    )


def test_where_an_error_came_from_is_shown_when_asked_for(dbanalyze: Runner) -> None:
    assert "Traceback" not in dbanalyze.command(Echo(DbopsError("x"))).err
    assert "Traceback" in dbanalyze.command(Echo(DbopsError("x")), "--traceback").err


def test_a_reader_that_has_gone_is_not_told(dbanalyze: Runner) -> None:
    ended = dbanalyze.command(Echo(BrokenPipeError()))

    assert (ended.code, ended.err) == (2, "")


@pytest.mark.parametrize("arguments", [["--nonsense"], ["-v", "9"], ["--no-color", "--force-color"]])
def test_options_that_cannot_be_used_end_with_2(dbanalyze: Runner, arguments: list[str]) -> None:
    assert dbanalyze.command(Echo(), *arguments).code == 2


# what it is told


@pytest.mark.parametrize(
    ("arguments", "verbosity", "words"),
    [
        ([], 1, []),
        (["-v"], 2, []),
        (["-vv"], 3, []),
        (["-vvvv"], 3, []),
        (["-v", "0"], 0, []),
        (["-v", "3"], 3, []),
        (["-v2"], 2, []),
        (["--verbosity", "2"], 2, []),
        (["-v", "shop"], 2, ["shop"]),
        (["shop", "-v"], 2, ["shop"]),
        (["-v", "--no-color", "shop"], 2, ["shop"]),
        (["--", "-v", "shop"], 1, ["-v", "shop"]),
    ],
)
def test_v_alone_means_more_and_djangos_own_spelling_stays(
    dbanalyze: Runner, arguments: list[str], verbosity: int, words: list[str]
) -> None:
    command = Echo()

    assert dbanalyze.command(command, *arguments).code == 0
    assert (command.options["verbosity"], command.options["words"]) == (verbosity, words)


def test_help_ends_with_examples_as_they_were_written(dbanalyze: Runner) -> None:
    ended = dbanalyze.command(Echo(), "--help")

    assert ended.code == 0
    assert ended.out.endswith("examples:\n  manage.py echo a b\n      two words\n")
    assert "-vv (3)" in ended.out


@pytest.mark.parametrize(
    ("environment", "arguments", "colour"),
    [
        ({}, [], False),
        ({}, ["--force-color"], True),
        ({"NO_COLOR": "1"}, ["--force-color"], True),
        ({"NO_COLOR": "1"}, [], False),
    ],
)
def test_colours_are_for_terminals_unless_forced(
    dbanalyze: Runner,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    arguments: list[str],
    colour: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    command = Echo()

    dbanalyze.command(command, *arguments)

    assert command.surface.colour is colour
