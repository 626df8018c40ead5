"""How long slow executions took, as few numbers, and what can be said of all executions from that. Pure functions.

Durations are counted in buckets whose bounds grow by a constant factor, so that a bucket's middle is never further from
a duration in it than ERROR, relatively, whether it is a tenth of a second or an hour (Masson, Rim and Lee, "DDSketch: a
fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019, section 2.1).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Half of what would still be the same number to a person. There are 210 buckets from 100 ms to an hour, and a
#: statement is in few of them.
ERROR: Final = 0.025
_GROWTH: Final = (1 + ERROR) / (1 - ERROR)
#: What no clock of ours can tell from nothing.
_SHORTEST_MS: Final = 0.001
#: Of a percentile's definition: the nearest rank.
_PERCENT: Final = 95


def bucket_of(duration_ms: float) -> int:
    """Return the bucket that counts executions of that duration."""
    return math.ceil(math.log(max(duration_ms, _SHORTEST_MS)) / math.log(_GROWTH))


def bounds_ms(bucket: int) -> tuple[float, float]:
    """Return between which durations a bucket counts: longer than the first, as long as the second at most."""
    return _GROWTH ** (bucket - 1), _GROWTH**bucket


@dataclass(slots=True)
class Durations:
    """Slow executions of one statement: how many there were by bucket.

    `unmeasured` are those that took long together (executemany), so that nobody knows how long each one took.
    """

    buckets: Counter[int] = field(default_factory=Counter)
    unmeasured: int = 0

    @property
    def count(self) -> int:
        return self.buckets.total() + self.unmeasured

    def add(self, duration_ms: float | None) -> None:
        """Count one execution; None where its own duration is not known."""
        if duration_ms is None:
            self.unmeasured += 1
        else:
            self.buckets[bucket_of(duration_ms)] += 1

    def merge(self, other: Durations) -> None:
        self.buckets.update(other.buckets)
        self.unmeasured += other.unmeasured


@dataclass(frozen=True, slots=True)
class Percentile:
    """Between which durations, in milliseconds, the 95th percentile lies; without `least_ms` it is below `most_ms`."""

    least_ms: float | None
    most_ms: float

    @property
    def middle_ms(self) -> float | None:
        """What it is, give or take ERROR where both bounds are those of one bucket; None where it is only bounded."""
        return None if self.least_ms is None else 2 * self.most_ms * self.least_ms / (self.most_ms + self.least_ms)


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """Why a percentile is not claimed."""

    reason: str


def p95(
    calls: int,
    inside: Durations,
    edge: Durations,
    *,
    threshold_ms: float,
    gap: str | None = None,
    total_ms: float | None = None,
) -> Percentile | Unclaimed:
    """Return the 95th percentile of a statement's durations, by the nearest rank, as far as slow ones tell.

    `calls` is how many executions the server counted in a window, and `total_ms` how long they took together there.
    `inside` are the slow ones of the window; `edge` those of minutes or hours in which it begins or ends, of which
    nobody knows on which side of it they are. Executions from `threshold_ms` on are slow ones. `gap` says why slow ones
    may be missing.

    With fewer slow executions than five percent of `calls` it is less than `threshold_ms`. It is not claimed where the
    numbers contradict one another: then somebody else executed the statement too, or the log missed some.
    """
    if gap is not None:
        return Unclaimed(gap)
    if inside.unmeasured or edge.unmeasured:
        return Unclaimed("it ran by executemany, which tells how long all executions took together")
    least, most = _from(inside, threshold_ms), _from(inside, threshold_ms)
    most.update(_from(edge, threshold_ms))
    if calls < 1 or least.total() > calls:
        return Unclaimed(f"{least.total()} slow executions were logged of {calls} that the server counted")
    longest_ms = sum(bounds_ms(bucket)[1] * count for bucket, count in most.items())
    if total_ms is not None and total_ms > longest_ms + (calls - least.total()) * threshold_ms:
        return Unclaimed("the server counted more time than was logged, so that slow executions are missing in the log")
    rank_from_top = calls - math.ceil(calls * _PERCENT / 100) + 1
    low, high = _ranked(least, rank_from_top), _ranked(most, rank_from_top)
    if high is None:
        return Percentile(None, threshold_ms)
    least_ms = None if low is None else max(bounds_ms(low)[0], threshold_ms)
    return Percentile(least_ms, bounds_ms(high)[1])


def _from(durations: Durations, threshold_ms: float) -> Counter[int]:
    """Return the buckets that may count executions from `threshold_ms` on: a process may have logged shorter ones."""
    return Counter(
        {bucket: count for bucket, count in durations.buckets.items() if bounds_ms(bucket)[1] >= threshold_ms}
    )


def _ranked(buckets: Mapping[int, int], rank_from_top: int) -> int | None:
    """Return the bucket of the nth longest; None where there are not as many."""
    seen = 0
    for bucket in sorted(buckets, reverse=True):
        seen += buckets[bucket]
        if seen >= rank_from_top:
            return bucket
    return None


def merged(parts: Iterable[Mapping[str, Durations]]) -> dict[str, Durations]:
    """Return the durations of all parts together, by fingerprint."""
    found: dict[str, Durations] = {}
    for part in parts:
        for fingerprint, durations in part.items():
            found.setdefault(fingerprint, Durations()).merge(durations)
    return found
