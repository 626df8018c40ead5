"""Private, direct connections to the databases that are looked at: never the application's own, never its pool's."""

from __future__ import annotations

import re
from contextlib import contextmanager
from copy import deepcopy
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connections, router
from django.utils.connection import ConnectionDoesNotExist

from dbops.errors import ConfigurationError, TargetUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.apps.registry import Apps
    from django.db.models import Model

#: What our own connections ask for unless the target's options say otherwise: seconds, then milliseconds.
_CONNECT_TIMEOUT_S: Final = 10
_DEFAULTS: Final = {"connect_timeout": _CONNECT_TIMEOUT_S, "tcp_user_timeout": 10_000}
APPLICATION_NAME: Final = "dbops"
_PORTS: Final = re.compile(r"[\d,]*")


@contextmanager
def connect_alias(alias: str, *, limits: Mapping[str, Any] | None = None) -> Iterator[tuple[Any, type[Exception]]]:
    """Open a connection with the options of DATABASES[alias], in autocommit mode, and close it afterwards.

    `limits` are options that take the place of the alias's own, for somebody in a hurry: then nothing is said on the
    connection either, such as Django's SET of the time zone, for which a frozen server would let us wait.

    Returns:
        the driver's connection, and the class of the driver's errors.

    Raises:
        ConfigurationError: there is no such alias, or it is not a PostgreSQL.
        TargetUnreachableError: the server cannot be reached, or lets us not in.
    """
    try:
        wrapper = connections[alias]
    except ConnectionDoesNotExist:
        known = ", ".join(sorted(connections))
        message = f"there is no database {alias!r} in DATABASES"
        raise ConfigurationError(message, hint=f"there are {known}") from None
    except ImproperlyConfigured as error:
        message = f"the database {alias!r} cannot be used: {str(error).splitlines()[0]}"
        raise ConfigurationError(message) from error
    if wrapper.vendor != "postgresql":
        message = f"the database {alias!r} is {wrapper.display_name}, not PostgreSQL"
        raise ConfigurationError(message, hint="dbops looks at PostgreSQL; choose another with --database")
    settings = deepcopy(wrapper.settings_dict)
    settings["AUTOCOMMIT"] = True
    options = settings["OPTIONS"]
    options.pop("pool", None)
    for name, value in _DEFAULTS.items():
        options.setdefault(name, value)
    options.update(limits or {}, application_name=APPLICATION_NAME)
    private: Any = type(wrapper)(settings, alias)
    error_class: type[Exception] = private.Database.Error
    where = f"database {alias!r} ({settings['NAME'] or 'service'} at {_place(settings)})"
    try:
        try:
            if limits is None:
                private.connect()
            else:
                private.connection = private.get_new_connection(private.get_connection_params())
                private.connection.autocommit = True
        except (error_class, NotSupportedError) as error:  # the latter is Django's word on a server that is too old
            raise _unreachable(where, error, f'check DATABASES["{alias}"]') from error
        yield private.connection, error_class
    finally:
        private.close()


@contextmanager
def connect_dsn(dsn: str) -> Iterator[tuple[Any, type[Exception]]]:
    """Open a connection by a libpq connection string or URL; returns and raises as `connect_alias` does."""
    driver = _driver()
    given = _parsed(driver, dsn)
    options = {name: value for name, value in _DEFAULTS.items() if name not in given}
    name = f"database {given['dbname']!r}" if given.get("dbname") else "the role's own database"
    host = given.get("host") or given.get("hostaddr")
    where = f"{name} at {host}" if host else name
    try:
        # Every name comes through in UTF8, whatever PGCLIENTENCODING says; Django asks for the same.
        connection = driver.connect(dsn, **options, application_name=APPLICATION_NAME, client_encoding="UTF8")
    except driver.Error as error:
        raise _unreachable(where, error, "check the DSN; a password comes from PGPASSWORD or ~/.pgpass") from error
    try:
        connection.autocommit = True
        if hasattr(connection, "prepare_threshold"):
            connection.prepare_threshold = None  # psycopg 3 prepares by itself: behind a pooler that fails
        yield connection, driver.Error
    finally:
        connection.close()


def models_in(alias: str, registry: Apps) -> tuple[type[Model], ...]:
    """Return the models whose tables are in DATABASES[alias], those that Django makes for many-to-many fields too.

    They are the ones that the routers let migrate there. A database where none may is a replica, as far as Django can
    say so: it has what the default database has. Proxies have no tables.
    """
    models = [model for model in registry.get_models(include_auto_created=True) if not model._meta.proxy]
    for database in (alias, DEFAULT_DB_ALIAS):
        found = tuple(model for model in models if router.allow_migrate_model(database, model))
        if found:
            return found
    return ()


def _driver() -> Any:
    """Return the driver that Django itself uses: psycopg 3, else psycopg2."""
    try:
        return import_module("django.db.backends.postgresql.base").Database
    except (ImportError, ImproperlyConfigured) as error:
        message = "no driver for PostgreSQL is installed"
        raise ConfigurationError(message, hint='pip install "dbops[psycopg]"') from error


def _parsed(driver: Any, dsn: str) -> dict[str, Any]:
    parse = driver.conninfo.conninfo_to_dict if hasattr(driver, "conninfo") else driver.extensions.parse_dsn
    found: dict[str, Any] | None
    try:
        found = parse(dsn)
    except driver.Error:
        found = None
    # Where the host was forgotten, what stands in the port's place is the password.
    if found is None or not _PORTS.fullmatch(found.get("port", "")):
        message = "the DSN cannot be understood"
        raise ConfigurationError(message, hint="for example postgresql://user@host:5432/database")
    return found


def _place(settings: dict[str, Any]) -> str:
    host = settings["HOST"] or "the local socket"
    return f"{host}:{settings['PORT']}" if settings["PORT"] else host


def _unreachable(where: str, error: Exception, hint: str) -> TargetUnreachableError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    reason = lines[0].strip().removeprefix("connection failed: ")  # what follows asks whether the server runs
    if "unsupported startup parameter" in reason:
        hint = "a pooler takes no options: leave them out, or use the server's own address"
    return TargetUnreachableError(f"cannot connect to {where}: {reason}", hint=hint)
