"""Calls that may hang, in threads that nobody waits for."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.db import connections

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")

#: How many calls of one kind may hang at once.
AT_ONCE: Final = 4


class DaemonThreads(Executor):
    """Up to `at_once` calls at a time; a process that ends waits for none of them, unlike a ThreadPoolExecutor's.

    A thread ends, and closes what Django opened for it, once nothing is left to call.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._threads = 0
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()

    def submit(self, call: Callable[..., Value], /, *args: Any, **kwargs: Any) -> Future[Value]:
        future: Future[Value] = Future()
        with self._lock:
            self._waiting.append((future, partial(call, *args, **kwargs)))
            if self._threads < self._at_once:
                self._threads += 1
                threading.Thread(target=self._work, name="dbops-health", daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                future, call = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                value = call()
            except BaseException as error:  # noqa: BLE001  it is whoever waits who judges it
                future.set_exception(error)
            else:
                future.set_result(value)
            finally:
                connections.close_all()


_by_what: dict[object, DaemonThreads] = {}


def threads_for(what: object) -> DaemonThreads:
    """Return this process's threads for calls of one kind: what hangs holds up its own kind alone."""
    return _by_what.setdefault(what, DaemonThreads(AT_ONCE))


# A child of this process has none of its threads, and would count those that hang as running for ever.
os.register_at_fork(after_in_child=_by_what.clear)
