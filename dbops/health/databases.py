"""Whether a database answers, and whether this process's pool has a connection to give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from django.db import DEFAULT_DB_ALIAS
from health_check.exceptions import ServiceUnavailable, ServiceWarning

from dbops.health.probe import NotJudgedError, Probe
from dbops.pulse import Answer, open_pool, pulse
from dbops.watch import watch


@dataclass
class Database(Probe):
    """The server lets a new connection in and answers."""

    name: ClassVar[str] = "database"

    @property
    def is_essential(self) -> bool:
        """The default database is: without another, parts of the site go on."""
        return self.alias == DEFAULT_DB_ALIAS

    async def run(self) -> None:
        found: Answer = await self.answer(watch(pulse, self.alias).ask())
        if found.reason is not None:
            raise (ServiceWarning if found.is_served else ServiceUnavailable)(found.reason)


@dataclass
class Pool(Probe):
    """This process's pool has a connection to give; it is looked at from outside, and none is taken."""

    name: ClassVar[str] = "pool"

    async def run(self) -> None:
        pool = open_pool(self.alias)
        if pool is None:
            message = "this process has no pool, or has not opened it yet"
            raise NotJudgedError(message)
        # Gauges pool_min, pool_max, pool_size, pool_available, requests_waiting; the rest counts since the opening.
        self.figures = statistics = dict(pool.get_stats())
        waiting = statistics.get("requests_waiting", 0)
        if waiting and not statistics.get("pool_available", 0):
            message = f"{waiting} requests wait for one of {statistics['pool_max']} connections"
            raise ServiceWarning(message)
