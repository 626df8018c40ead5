"""How often something may be tried: counted in the cache, where all processes of a site count together.

Windows are fixed: an attempt counts until the end of its window, each key's windows begin at a time of its own, and
being refused makes nothing longer. Around the end of a window twice the attempts can come close together.

While the cache cannot be reached nothing is refused: who may log in has to be able to. That is logged once per outage
and process, and the cache is left alone for some seconds, so that a cache that hangs does not hold every request up.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final

from django.core.cache import cache
from django.shortcuts import render
from django.utils.crypto import salted_hmac

from dbops.cache_errors import CACHE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest, HttpResponse

#: How long the cache is left alone after it could not be reached.
PAUSE_S: Final = 10.0

logger = logging.getLogger("dbops.rate_limits")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most so many attempts in a window of so many seconds, by each `who` that is counted."""

    name: str
    attempts: int
    window_s: int

    def of(self, *who: object) -> Counted:
        """What counts the attempts of `who`. The cache sees a keyed hash: nobody's address can be read in it."""
        digest = salted_hmac(f"dbops.rate_limits.{self.name}", "\0".join(map(str, who)), algorithm="sha256")
        return Counted(self, digest.hexdigest()[:32])


@dataclass(frozen=True, slots=True)
class Counted:
    """A limit, and who is held to it."""

    limit: RateLimit
    who: str

    def window(self) -> tuple[str, float]:
        """The key of the window that is now, and how many seconds are left of it."""
        length = self.limit.window_s
        # Not all windows at the same time, or everybody who was refused would come back at once.
        number, into_s = divmod(time.time() + int(self.who[:8], 16) % length, length)
        return f"rate:{self.limit.name}:{self.who}:{int(number)}", length - into_s

    def add(self, key: str, tries: int) -> int:
        """Add to the tries of a window; how many there are then."""
        timeout_s = self.limit.window_s + 60
        cache.add(key, 0, timeout_s)
        try:
            total: int | None = cache.incr(key, tries)
        except ValueError:  # evicted in between
            return tries
        cache.touch(key, timeout_s)  # counting sets the timeout to the default in some of Django's own caches
        return total or 0  # None of a cache that is told to keep its failures to itself


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted; refused when there is a time to wait."""

    counts: tuple[tuple[Counted, str], ...] = ()
    retry_after_s: int = 0

    def give_back(self) -> None:
        """Let it not count, because it was right."""
        if _outage.is_on():
            return
        with _outage.watched():
            for counted, key in self.counts:
                counted.add(key, -1)


def attempt(*counted: Counted) -> Attempt:
    """Count an attempt against each limit, before it is looked at: of many at the same time no more are let through.

    A limit that refuses is the last to count it.
    """
    counts: list[tuple[Counted, str]] = []
    if _outage.is_on():
        return Attempt()
    with _outage.watched():
        for each in counted:
            key, left_s = each.window()
            tries = each.add(key, 1)
            counts.append((each, key))
            if tries > each.limit.attempts:
                if tries == each.limit.attempts + 1:
                    logger.warning("limit reached: %s, %d attempts", each.limit.name, each.limit.attempts)
                return Attempt(tuple(counts), ceil(left_s))
    return Attempt(tuple(counts))


def refusal(request: HttpRequest, refused: Attempt) -> HttpResponse:
    """The answer to an attempt too many: a page with status 429 that says when to try again."""
    response = render(request, "429.html", {"minutes": ceil(refused.retry_after_s / 60)}, status=429)
    response["Retry-After"] = str(refused.retry_after_s)
    return response


class _Outage:
    """Whether this process could not reach the cache a moment ago."""

    def __init__(self) -> None:
        self._until: float | None = None

    def is_on(self) -> bool:
        return self._until is not None and time.monotonic() < self._until

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Around what asks the cache: notices that an outage begins, and that it is over."""
        try:
            yield
        except CACHE_ERRORS as error:
            if self._until is None:
                logger.error("the cache cannot be reached, so attempts are not limited: %s", error)  # noqa: TRY400
            self._until = time.monotonic() + PAUSE_S
        else:
            if self._until is not None:
                logger.info("the cache can be reached again, so attempts are limited again")
            self._until = None


_outage = _Outage()
