"""Calls that hang hold up neither others, nor a process that ends, nor its child."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import wait
from pathlib import Path

import pytest

from dbops.health.threads import AT_ONCE, threads_for

#: Django's settings are all that such a process needs.
ENVIRONMENT = {"DJANGO_SETTINGS_MODULE": "config.settings", "DEBUG": "1", "PATH": os.environ["PATH"]}
#: A process that ends while calls hang, whether they run or wait for a thread.
END = """
import threading
from dbops.health.threads import threads_for
for _ in range(20):
    threads_for("own").submit(threading.Event().wait)
"""
#: All of the parent's threads hang; the child has its own.
FORK = """
import os, threading
from dbops.health.threads import threads_for
for _ in range(20):
    threads_for("own").submit(threading.Event().wait)
child = os.fork()
if child == 0:
    os._exit(0 if threads_for("own").submit(int, "7").result(10) == 7 else 1)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("script", [END, FORK], ids=["end", "fork"])
def test_a_process_that_ends_and_its_child_wait_for_nobody(script: str) -> None:
    ended = subprocess.run(
        (sys.executable, "-c", script), cwd=Path(__file__).parents[2], env=ENVIRONMENT, timeout=60, check=False
    )
    assert ended.returncode == 0


def test_what_hangs_holds_up_its_own_kind_alone_and_that_is_called_later() -> None:
    may_end = threading.Event()
    hanging = [threads_for("a kind that hangs").submit(may_end.wait, 30) for _ in range(AT_ONCE)]
    later = threads_for("a kind that hangs").submit(int, "7")
    given_up = threads_for("a kind that hangs").submit(pytest.fail, "called though nobody waits")
    assert given_up.cancel()
    assert threads_for("another kind").submit(int, "8").result(10) == 8
    assert not later.done()
    may_end.set()
    assert later.result(10) == 7
    assert not wait(hanging, 10).not_done


def test_what_is_raised_is_told_to_who_waits() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        threads_for("a kind that fails").submit(int, "seven").result(10)
