"""Watches the connections of this process for slow statements, as the DBOPS setting says."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_started
from django.db import connections
from django.db.backends.signals import connection_created

from dbops.conf import read
from dbops.slow_queries.log import SlowQueryLog
from dbops.slow_queries.writer import Writer

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from dbops.conf import Config

_UID = "dbops.slow_queries"


def watch() -> None:
    """Log the slow statements of every connection to the databases that dbops looks at, from now on.

    A setting that cannot be right is `manage.py check`'s to refuse; as far as it can be understood it holds.
    """
    config, _ = read(getattr(settings, "DBOPS", {}))
    if config.enabled:
        _watch(config)


def _watch(config: Config) -> None:
    writer = Writer(config.databases, config.slow_query_ms)
    log = SlowQueryLog(config.slow_query_ms, writer.keep)
    os.register_at_fork(after_in_child=log.begin_anew)

    def attach(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
        is_ours = connection.alias in config.databases and connection.vendor == "postgresql"
        if is_ours and not writer.is_own_thread() and log not in connection.execute_wrappers:
            writer.begin()
            connection.execute_wrappers.append(log)

    # Nobody else holds them: a signal holds its receivers weakly, unless it is told not to.
    connection_created.connect(attach, weak=False, dispatch_uid=_UID)
    request_started.connect(writer.start, weak=False, dispatch_uid=_UID)
    with suppress(ImproperlyConfigured):  # DATABASES cannot be used: whoever wants to is told
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None:
                attach(connection)
