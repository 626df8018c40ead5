"""The cache in files: how much it holds, and what goes first when it is full."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from config.file_cache import LockedFileBasedCache

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LockedFileBasedCache:
    """With room for ten, which is made at every write."""
    monkeypatch.setattr(LockedFileBasedCache, "_writes_per_cull", 1)
    return LockedFileBasedCache(str(tmp_path), {"OPTIONS": {"MAX_ENTRIES": 10}})


def files_in(place: Path) -> int:
    return len(list(place.glob("*.djcache")))


def test_what_has_expired_goes_and_nothing_that_counts(cache: LockedFileBasedCache, tmp_path: Path) -> None:
    kept = [f"kept-{number}" for number in range(9)]
    for key in kept:
        cache.set(key, 1, 3600)
    for number in range(40):
        cache.set(f"short-{number}", 1, 0.001)
        time.sleep(0.002)
    assert [cache.get(key) for key in kept] == [1] * 9
    assert files_in(tmp_path) == 10


def test_it_stays_as_small_as_it_is_told_to_be(cache: LockedFileBasedCache, tmp_path: Path) -> None:
    for number in range(40):
        cache.set(f"key-{number}", 1, 3600)
    assert 5 <= files_in(tmp_path) <= 10
