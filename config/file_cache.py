"""The cache in files, for machines without Redis or Valkey."""

from __future__ import annotations

import random
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.cache.backends.filebased import FileBasedCache
from django.core.files import locks

if TYPE_CHECKING:
    from collections.abc import Iterator


class LockedFileBasedCache(FileBasedCache):
    """Django's, in which several processes may add and count at once: its own read, and then write, unlocked.

    It has room for many entries: Django's lists the whole directory at every write, this one at one in so many, and
    then what has expired goes first.
    """

    _writes_per_cull = 1_000

    def add(self, *args: Any, **kwargs: Any) -> bool:
        with self._locked():
            return super().add(*args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> int:
        with self._locked():
            return super().incr(*args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        with self._locked():
            return super().touch(*args, **kwargs)

    def _cull(self) -> None:
        if random.randrange(self._writes_per_cull):  # noqa: S311 -- no secret
            return
        for name in self._list_cache_files():  # type: ignore[attr-defined]
            with suppress(FileNotFoundError), Path(name).open("rb") as file:  # another process may remove it too
                self._is_expired(file)  # type: ignore[attr-defined]  # removes it if so
        super()._cull()  # type: ignore[misc]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._createdir()  # type: ignore[attr-defined]
        with Path(self._dir, "lock").open("a") as file:  # type: ignore[attr-defined]
            locks.lock(file, locks.LOCK_EX)  # given back when the file is closed
            yield
