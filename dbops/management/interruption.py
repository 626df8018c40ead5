"""Ctrl-C ends a command soon, whatever it waits for."""

from __future__ import annotations

import logging
import signal
import threading
from _thread import interrupt_main
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_PATIENCE_S: Final = 1.0


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C, and once more when a second later the block has not ended.

    psycopg asks the server to cancel its statement, so that nothing is left running there, and a server that does not
    answer it would wait for as long as ten seconds. The second KeyboardInterrupt makes it close the connection at once;
    what it logs of that is no news to the one who pressed the keys.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    driver = logging.getLogger("psycopg")
    level = driver.level
    again = threading.Timer(_PATIENCE_S, interrupt_main)
    again.daemon = True

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        driver.setLevel(logging.ERROR)
        again.start()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        again.cancel()
        driver.setLevel(level)
        signal.signal(signal.SIGINT, signal.default_int_handler)
