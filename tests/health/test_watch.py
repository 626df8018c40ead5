"""One look at a time, shared."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import wait
from pathlib import Path

import pytest

from dbops.watch import Crash, Watch, watch

#: A look hangs in the parent; its child has to look for itself.
FORK = """
import os, threading
from dbops.watch import watch
is_child = False
def look(alias):
    if not is_child:
        threading.Event().wait()
    return alias
watch(look, "shop").ask()
child = os.fork()
if child == 0:
    is_child = True
    os._exit(0 if watch(look, "shop").ask().result(10).value == "shop" else 1)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


class Looked:
    """A look that lasts until it may end, and counts."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        count = self.count
        self.may_end.wait(10)
        return count


def test_whoever_asks_meanwhile_shares_the_look() -> None:
    look = Looked()
    watching = Watch(look)
    asked = [watching.ask() for _ in range(50)]
    look.may_end.set()
    wait(asked, 10)
    assert {getattr(one.result(), "value", None) for one in asked} == {1}
    assert watching.ask(max_age_s=60).done()
    assert look.count == 1


def test_what_is_no_longer_fresh_is_looked_at_again() -> None:
    look = Looked()
    look.may_end.set()
    watching = Watch(look)
    assert [getattr(watching.ask(max_age_s=0).result(10), "value", None) for _ in range(3)] == [1, 2, 3]
    assert getattr(watching.last, "value", None) == 3


@pytest.mark.parametrize(
    ("ages_s", "found"), [((60, 0, 60, 60), [1, 2, 2, 2]), ((0, 60, 0, 60), [1, 1, 2, 2])], ids=["patient", "hasty"]
)
def test_how_old_an_answer_may_be_is_for_each_who_asks_to_say(ages_s: tuple[float, ...], found: list[int]) -> None:
    look = Looked()
    look.may_end.set()

    def look_at(_alias: str) -> int:
        return look()

    asked = [watch(look_at, "shop").ask(max_age_s=age_s).result(10) for age_s in ages_s]
    assert [getattr(seen, "value", None) for seen in asked] == found


def test_beside_a_look_that_hangs_no_other_is_started_and_nobody_has_to_wait() -> None:
    look = Looked()
    watching = Watch(look)
    given_up = [watching.ask() for _ in range(10)]
    assert all(one.cancel() for one in given_up)
    assert (look.count, watching.last) == (1, None)
    still = watching.ask()
    look.may_end.set()
    assert getattr(still.result(10), "value", None) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_look_that_breaks_is_kept_as_such_until_somebody_wants_a_newer_one() -> None:
    looks: list[int] = []

    def look() -> int:
        looks.append(7)
        if len(looks) == 1:
            raise LookupError
        return 7

    watching = Watch(look)
    asked = [watching.ask(max_age_s=60).result(10) for _ in range(20)]
    assert {type(one) for one in asked} == {Crash}
    assert len(looks) == 1
    for thread in threading.enumerate():
        if thread.name == "dbops-watch":
            thread.join(10)  # until it has told of its end
    assert getattr(watching.ask(max_age_s=0).result(10), "value", None) == 7


def test_a_look_is_known_by_what_and_where_it_looks() -> None:
    assert watch(str.upper, "shop") is watch(str.upper, "shop")
    assert watch(str.upper, "shop") is not watch(str.upper, "other")
    assert watch(str.upper, "shop") is not watch(str.lower, "shop")


def test_a_child_of_the_process_does_not_wait_for_its_parents_look() -> None:
    environment = {"DJANGO_SETTINGS_MODULE": "config.settings", "DEBUG": "1"}
    ended = subprocess.run(
        (sys.executable, "-c", FORK), cwd=Path(__file__).parents[2], env=environment, timeout=60, check=False
    )
    assert ended.returncode == 0
