"""What a cache raises when it cannot be reached, whichever client it has."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import Final

#: The clients of Redis (also of its Sentinels and clusters) and of memcached, where they are installed.
_OF_CLIENTS: Final = (("redis.exceptions", "RedisError"), ("pymemcache", "MemcacheError"), ("pylibmc", "Error"))


def _cache_errors() -> tuple[type[Exception], ...]:
    errors: list[type[Exception]] = [OSError]
    for module, name in _OF_CLIENTS:
        with suppress(ImportError):
            errors.append(getattr(import_module(module), name))
    return tuple(errors)


CACHE_ERRORS: Final = _cache_errors()
