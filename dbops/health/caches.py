"""Whether a cache keeps what it is given."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import uuid4

from django.conf import settings
from django.core.cache import InvalidCacheBackendError, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from health_check.exceptions import ServiceUnavailable

from dbops.cache_errors import CACHE_ERRORS
from dbops.health.probe import NotJudgedError, Probe
from dbops.watch import watch

if TYPE_CHECKING:
    from django.core.cache import BaseCache

#: What says that a cache, which may be a table, is not to be reached.
_ERRORS: Final[tuple[type[Exception], ...]] = (*CACHE_ERRORS, DatabaseError)
#: How long Redis has to let us in, and then to answer: once each.
SOCKET_TIMEOUT_S: Final = 1.0
#: Our key is gone by itself when we could not take it away.
KEY_LIFETIME_S: Final = 10
_PLAIN_POOLS: Final = frozenset({"ConnectionPool", "BlockingConnectionPool"})
#: Of the pool's own parameters, what belongs to its notifications of maintenance, which stretch timeouts.
_OF_THE_POOL: Final = ("maint_", "orig_", "himport_")


@dataclass
class Cache(Probe):
    """The cache gives back what was put into it."""

    name: ClassVar[str] = "cache"

    @property
    def is_essential(self) -> bool:
        """Where the sessions are kept in it and nowhere else, nobody is logged in while it is down."""
        engine, alias = settings.SESSION_ENGINE, settings.SESSION_CACHE_ALIAS
        return engine == "django.contrib.sessions.backends.cache" and alias == self.alias

    async def run(self) -> None:
        if isinstance(_cache(self.alias), DummyCache):
            message = "a cache that keeps nothing by design"
            raise NotJudgedError(message)
        reason = await self.answer(watch(look, self.alias).ask())
        if reason is not None:
            raise ServiceUnavailable(reason)


def look(alias: str) -> str | None:
    """Put a key into the cache, get it and take it away.

    Returns:
        why that did not do, in one line; None when it did.
    """
    cache, key, value = _cache(alias), f"dbops-health-{uuid4()}", uuid4().hex
    if isinstance(cache, str):
        return cache
    try:
        pool = _redis_pool(cache)
        if pool is not None:
            return _look_at_redis(pool, cache.make_key(key), value)
        cache.set(key, value, KEY_LIFETIME_S)
        found = cache.get(key)
        cache.delete(key)
    except _ERRORS as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None if found == value else "it does not keep what it is given"


def _cache(alias: str) -> BaseCache | str:
    try:
        return caches[alias]
    except (InvalidCacheBackendError, ImproperlyConfigured, OSError) as error:
        return f"{error}"


def _redis_pool(cache: BaseCache) -> Any:
    """Return the connection pool of a cache in one Redis, Django's own or django-redis'; None for any other cache.

    That of a Sentinel or a cluster finds its servers by itself: those are asked through the cache.
    """
    backend: Any = getattr(cache, "_cache", None) or getattr(cache, "client", None)
    if not hasattr(backend, "get_client"):
        return None
    pool = getattr(backend.get_client(write=True), "connection_pool", None)
    return pool if type(pool).__name__ in _PLAIN_POOLS else None


def _look_at_redis(pool: Any, key: object, value: str) -> str | None:
    """Ask on a connection of our own, made as the cache's are but with our limits, and without a second try."""
    redis, backoff = import_module("redis"), import_module("redis.backoff")
    parameters = {name: it for name, it in pool.connection_kwargs.items() if not name.startswith(_OF_THE_POOL)}
    parameters |= {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "retry": redis.retry.Retry(backoff.NoBackoff(), 0),
        "health_check_interval": 0,
    }
    own = redis.ConnectionPool(connection_class=pool.connection_class, **parameters)
    with closing(redis.Redis(connection_pool=own)) as client:
        try:
            pipe = client.pipeline(transaction=False)
            found = pipe.set(str(key), value, ex=KEY_LIFETIME_S).get(str(key)).delete(str(key)).execute()[1]
        finally:
            own.disconnect()
    return None if found in {value, value.encode()} else "it does not keep what it is given"
