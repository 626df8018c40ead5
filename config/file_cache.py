"""The cache in files, for machines without Redis or Valkey."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.cache.backends.filebased import FileBasedCache
from django.core.files import locks

if TYPE_CHECKING:
    from collections.abc import Iterator


class LockedFileBasedCache(FileBasedCache):
    """Django's, in which several processes may add and count at once: its own read, and then write, unlocked."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        with self._locked():
            return super().add(*args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> int:
        with self._locked():
            return super().incr(*args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        with self._locked():
            return super().touch(*args, **kwargs)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._createdir()  # type: ignore[attr-defined]
        with Path(self._dir, "lock").open("a") as file:  # type: ignore[attr-defined]
            locks.lock(file, locks.LOCK_EX)  # given back when the file is closed
            yield
