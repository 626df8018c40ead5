"""What our own checks share: a look in a thread of its own, and a verdict on what it saw."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from health_check.base import HealthCheck, HealthCheckResult
from health_check.exceptions import HealthCheckException, ServiceUnavailable, ServiceWarning

from dbops.watch import Crash

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Executor, Future

    from dbops.watch import Seen

#: Within this every check has answered, or is said not to.
ANSWER_WITHIN_S: Final = 2.5


class Status(StrEnum):
    """How a check, and the whole, stands."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"

    @property
    def rank(self) -> int:
        """0 for ok, 1 for degraded, 2 for down."""
        return list(Status).index(self)

    @classmethod
    def worst(cls, statuses: Iterable[Status]) -> Status:
        """Return the worst of them, ok when there is none."""
        return max(statuses, key=lambda status: status.rank, default=cls.OK)


class NotJudgedError(HealthCheckException):  # type: ignore[misc]
    """There was nothing to judge, or no right to see it: neither health nor its contrary."""

    message_type = "Not judged"


def status_of(error: HealthCheckException | None) -> Status | None:
    """Return what an outcome of a check of django-health-check means here; None when it could not judge."""
    if error is None:
        return Status.OK
    if isinstance(error, NotJudgedError):
        return None
    return Status.DEGRADED if isinstance(error, ServiceWarning) else Status.DOWN


@dataclass
class Probe(HealthCheck):  # type: ignore[misc]
    """A check of one alias. `name` is all that the public sees of it.

    `run` raises ServiceUnavailable, ServiceWarning (degraded) or NotJudgedError, and sets `seen` and `figures`, which
    the detailed page shows.
    """

    name: ClassVar[str]
    alias: str
    seen: Seen[Any] | Crash | None = field(default=None, init=False, repr=False)
    figures: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def is_essential(self) -> bool:
        """Whether the site cannot answer at all while this is down."""
        return False

    @abstractmethod
    async def run(self) -> None: ...

    async def get_result(self, executor: Executor | None = None) -> HealthCheckResult:
        """As the library's, but without a traceback in the log for every request while something is down."""
        error, started_s = None, perf_counter()
        try:
            await self.run()
        except HealthCheckException as raised:
            error = raised
        return HealthCheckResult(check=self, error=error, time_taken=perf_counter() - started_s)

    async def answer(self, asked: Future[Seen[Any] | Crash]) -> Any:
        """Wait for what was asked and return its value.

        Raises:
            ServiceUnavailable: the look crashed.
        """
        self.seen = seen = await asyncio.wrap_future(asked)
        if isinstance(seen, Crash):
            message = "the check crashed: see the log"
            raise ServiceUnavailable(message)
        return seen.value
