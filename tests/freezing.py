"""Servers that fall silent."""

from __future__ import annotations

import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.embedded.postgres import Cluster


@contextmanager
def frozen(*processes: psutil.Process) -> Iterator[None]:
    """Stop processes as a host that hangs does: their sockets stay open, and nothing comes out of them."""
    stopped = [one for process in processes for one in (process, *process.children(recursive=True))]
    try:
        for one in stopped:
            with suppress(psutil.NoSuchProcess):  # a session that has just ended
                one.send_signal(signal.SIGSTOP)
        yield
    finally:
        for one in stopped:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)


def postmaster(cluster: Cluster) -> psutil.Process:
    return psutil.Process(int((cluster.data_dir / "postmaster.pid").read_text().split()[0]))
