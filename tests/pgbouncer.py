"""A PgBouncer in transaction mode before a test's database, as a pytest plugin."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Database

_PROGRAM: Final = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
PORT: Final = 6432


@pytest.fixture
def pooler(database: Database, place: Path) -> Iterator[Path]:
    """The directory of the socket through which `database` is reached, over two connections that all clients share.

    Roles that are made later are not let in.
    """
    if _PROGRAM is None:
        pytest.skip("there is no pgbouncer on this machine")
    cluster = database.server.cluster
    roles = database.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin")
    (place / "users").write_text("".join(f'"{role}" ""\n' for (role,) in roles))
    (place / "ini").write_text(
        f"[databases]\n* = host={cluster.socket_dir} port=5432\n"
        f"[pgbouncer]\npool_mode = transaction\nauth_type = trust\nauth_file = {place}/users\ndefault_pool_size = 2\n"
        f"unix_socket_dir = {place}\nlisten_port = {PORT}\nlisten_addr =\nlogfile = {place}/log\n"
    )
    cluster.account.take(place)
    user = cluster.account.uid if cluster.account.other else None
    with subprocess.Popen(
        [_PROGRAM, place / "ini"], user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not (place / f".s.PGSQL.{PORT}").exists():
            assert process.poll() is None, (place / "log").read_text()
            time.sleep(0.01)
        try:
            yield place
        finally:
            process.terminate()
