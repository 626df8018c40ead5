"""Short-lived places for servers that are started and ended by one test."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

from dbops.embedded.binaries import Binaries, find_binaries, installed_binaries
from dbops.embedded.postgres import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class MakeCluster(Protocol):
    def __call__(self, name: str = "one") -> Cluster: ...


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    return find_binaries()[0]


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
