"""What all tests share."""

from __future__ import annotations

import signal

pytest_plugins = ["tests.servers", "tests.pgbouncer", "tests.browser"]


def pytest_configure() -> None:
    """A shell lets its background jobs ignore Ctrl-C, and every program that they start: ours are to be interrupted."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
