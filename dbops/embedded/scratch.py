"""A server for a moment: made from nothing, asked something, and gone."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from dbops.embedded.binaries import find_binaries
from dbops.embedded.postgres import Cluster
from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.embedded.binaries import Binaries

#: Nobody waits for the disk for what is thrown away, and nothing beside the questions is to be done.
_SETTINGS: Final = {"shared_preload_libraries": "", "autovacuum": "off", "max_connections": "10"}
_PLACE: Final = "/tmp"  # noqa: S108 -- mkdtemp makes a directory of its own there; a socket's path must be short


@contextmanager
def scratch_server(major: int) -> Iterator[psycopg.Connection]:
    """Start a server of that major version, or of the nearest there is; give a superuser's autocommit connection.

    Raises:
        EmbeddedServerError: there is none on this machine that can be started.
    """
    with ExitStack() as ends:
        try:
            directory = Path(tempfile.mkdtemp(prefix="dbops-scratch-", dir=_PLACE))
            ends.callback(shutil.rmtree, directory, ignore_errors=True)
            directory.chmod(0o755)  # the server's account has to pass
            cluster = Cluster(directory / "data", directory / "socket", _SETTINGS, durable=False)
            ends.callback(cluster.stop)
            cluster.ensure_started(lambda _data: _candidates(major))
            connection = ends.enter_context(psycopg.connect(cluster.dsn(), autocommit=True))
        except (OSError, subprocess.SubprocessError, psycopg.Error) as error:
            raise EmbeddedServerError(f"no scratch server can be started: {str(error).strip()}") from error
        yield connection


def _candidates(major: int) -> list[Binaries]:
    """Those there are, the nearest first; newer ones, which read all that an older one prints, before older ones."""
    return sorted(find_binaries(), key=lambda one: (one.major < major, abs(one.major - major)))
