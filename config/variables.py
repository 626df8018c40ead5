"""Every environment variable the project reads, in the order of `docs/configuration.md`, which says what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from config.environment import (
    Variable,
    one_of,
    parse_flag,
    parse_origins,
    parse_path,
    parse_positive,
    parse_redis_url,
    parse_seconds,
    parse_token,
    parse_words,
    whole,
)
from dbops.conf import SHORTEST_TOKEN

FLAG: Final = "1, true, yes or on; or 0, false, no or off"
SECONDS: Final = "a number of seconds, 0 for no limit"
POSITIVE: Final = "a number above 0"
COUNTED_SECONDS: Final = "a whole number of seconds from 1"
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS: Final = ("text", "json")

PRODUCTION: Final = "DEBUG off"
EMBEDDED: Final = "embedded servers"
WEB: Final = "web server"


DEBUG = Variable[bool | None](
    name="DEBUG",
    parse=parse_flag,
    wanted=FLAG,
    default=None,
    default_text="on when none of `SECRET_KEY`, `DATABASE_URL` and `ALLOWED_HOSTS` is in the environment, else off",
)
SECRET_KEY = Variable[str | None](
    name="SECRET_KEY",
    parse=str,
    wanted="a text",
    default=None,
    default_text="required with DEBUG off",
)
ALLOWED_HOSTS = Variable[tuple[str, ...]](
    name="ALLOWED_HOSTS",
    parse=parse_words,
    wanted="host names separated by commas",
    default=(),
    default_text="required with DEBUG off",
)
DATABASE_URL = Variable[str | None](
    name="DATABASE_URL",
    parse=str,
    wanted="a URL",
    default=None,
    default_text="the embedded PostgreSQL; required where there is none",
    also="REAL_DB_URL",
)
REDIS_URL = Variable[str | None](
    name="REDIS_URL",
    parse=parse_redis_url,
    wanted="redis://…, rediss://… or unix://…",
    default=None,
    default_text="the embedded Valkey; files in `.dbops/cache` where there is none",
)
DBOPS_EMBEDDED = Variable[bool | None](
    name="DBOPS_EMBEDDED",
    parse=parse_flag,
    wanted=FLAG,
    default=None,
    default_text="as DEBUG",
)
DBOPS_PG_BIN = Variable[Path | None](
    name="DBOPS_PG_BIN",
    parse=parse_path,
    wanted="a directory",
    default=None,
    default_text="found: `PATH`, `/usr/lib/postgresql/*/bin`, the wheel",
    applies=EMBEDDED,
)
DBOPS_HEALTH_TOKEN = Variable[str | None](
    name="DBOPS_HEALTH_TOKEN",
    parse=parse_token,
    wanted=f"at least {SHORTEST_TOKEN} characters without spaces",
    default=None,
    default_text="none: `/ht/detail/` is for staff alone",
)
LOG_LEVEL = Variable(
    name="LOG_LEVEL",
    parse=one_of(LEVELS),
    wanted=f"one of {', '.join(LEVELS)}",
    default="INFO",
    also="PA_LOG_LEVEL",
)
LOG_FORMAT = Variable(
    name="LOG_FORMAT",
    parse=one_of(FORMATS),
    wanted=f"one of {', '.join(FORMATS)}",
    default="text",
)
DB_CONNECT_TIMEOUT = Variable(
    name="DB_CONNECT_TIMEOUT",
    parse=whole(1),
    wanted=COUNTED_SECONDS,
    default=10,
    unit="s",
)
DB_STATEMENT_TIMEOUT = Variable(
    name="DB_STATEMENT_TIMEOUT",
    parse=parse_seconds,
    wanted=SECONDS,
    default=30.0,
    unit="s",
    applies=WEB,
)
DB_LOCK_TIMEOUT = Variable(
    name="DB_LOCK_TIMEOUT",
    parse=parse_seconds,
    wanted=SECONDS,
    default=10.0,
    unit="s",
    applies=WEB,
)
DB_IDLE_TIMEOUT = Variable(
    name="DB_IDLE_TIMEOUT",
    parse=parse_seconds,
    wanted=SECONDS,
    default=60.0,
    unit="s",
    applies=WEB,
)
DB_POOL_SIZE = Variable(
    name="DB_POOL_SIZE",
    parse=whole(1),
    wanted="a whole number from 1",
    default=20,
    applies=WEB,
)
DB_MAX_OVERFLOW = Variable(
    name="DB_MAX_OVERFLOW",
    parse=whole(0),
    wanted="a whole number from 0",
    default=30,
    applies=WEB,
)
DB_POOL_TIMEOUT = Variable(
    name="DB_POOL_TIMEOUT",
    parse=whole(1),
    wanted=COUNTED_SECONDS,
    default=30,
    unit="s",
    applies=WEB,
)
DB_POOL_RECYCLE = Variable(
    name="DB_POOL_RECYCLE",
    parse=whole(1),
    wanted=COUNTED_SECONDS,
    default=3600,
    unit="s",
    applies=WEB,
)
DB_POOL_PRE_PING = Variable(
    name="DB_POOL_PRE_PING",
    parse=parse_flag,
    wanted=FLAG,
    default=True,
    applies=WEB,
)
DB_ECHO_POOL = Variable(
    name="DB_ECHO_POOL",
    parse=parse_flag,
    wanted=FLAG,
    default=False,
    applies=WEB,
)
DB_ECHO = Variable(
    name="DB_ECHO",
    parse=parse_flag,
    wanted=FLAG,
    default=False,
    also="DATABASE_ECHO",
)
DB_OPTIMIZATION_ENABLED = Variable(
    name="DB_OPTIMIZATION_ENABLED",
    parse=parse_flag,
    wanted=FLAG,
    default=True,
)
DB_QUERY_TIMEOUT = Variable(
    name="DB_QUERY_TIMEOUT",
    parse=parse_positive,
    wanted=POSITIVE,
    default=30.0,
    unit="s",
)
DB_MAX_QUERY_TIME = Variable(
    name="DB_MAX_QUERY_TIME",
    parse=parse_positive,
    wanted=POSITIVE,
    default=100.0,
    unit="ms",
)
CSRF_TRUSTED_ORIGINS = Variable[tuple[str, ...]](
    name="CSRF_TRUSTED_ORIGINS",
    parse=parse_origins,
    wanted="origins such as https://example.com separated by commas",
    default=(),
)
TRUSTED_PROXIES = Variable(
    name="TRUSTED_PROXIES",
    parse=whole(0),
    wanted="a whole number from 0",
    default=0,
)
SECURE_SSL_REDIRECT = Variable(
    name="SECURE_SSL_REDIRECT",
    parse=parse_flag,
    wanted=FLAG,
    default=True,
    applies=PRODUCTION,
)
SECURE_PROXY_SSL_HEADER = Variable(
    name="SECURE_PROXY_SSL_HEADER",
    parse=parse_flag,
    wanted=FLAG,
    default=False,
    applies=PRODUCTION,
)
SECURE_HSTS_SECONDS = Variable(
    name="SECURE_HSTS_SECONDS",
    parse=whole(0),
    wanted="a whole number of seconds from 0",
    default=0,
    unit="s",
    applies=PRODUCTION,
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = Variable(
    name="SECURE_HSTS_INCLUDE_SUBDOMAINS",
    parse=parse_flag,
    wanted=FLAG,
    default=False,
    applies=PRODUCTION,
)
SECURE_HSTS_PRELOAD = Variable(
    name="SECURE_HSTS_PRELOAD",
    parse=parse_flag,
    wanted=FLAG,
    default=False,
    applies=PRODUCTION,
)


def declared() -> tuple[Variable[object], ...]:
    """All of the above, in their order."""
    return tuple(value for value in globals().values() if isinstance(value, Variable))
