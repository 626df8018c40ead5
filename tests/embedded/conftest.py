"""Short-lived places for servers that are started and ended by one test."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from dbops.embedded.binaries import Binaries, find_binaries, installed_binaries
from dbops.embedded.postgres import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


class MakeCluster(Protocol):
    def __call__(self, name: str = "one") -> Cluster: ...


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory with a short path that every account can enter."""
    path = Path(tempfile.mkdtemp(prefix="dbops-t-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    return find_binaries()


@pytest.fixture(scope="session")
def all_binaries() -> list[Binaries]:
    return installed_binaries()


@pytest.fixture
def make_cluster(place: Path) -> Iterator[MakeCluster]:
    """Makes clusters that are stopped after the test."""
    with ExitStack() as ends:

        def make(name: str = "one") -> Cluster:
            cluster = Cluster(place / name, place / f"{name}-socket", durable=False)
            ends.callback(cluster.stop)
            return cluster

        yield make


@pytest.fixture
def cluster(make_cluster: MakeCluster) -> Cluster:
    return make_cluster()
