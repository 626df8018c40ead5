"""Takes looks in the background: one at a time for each database, in whichever process somebody asks."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, connections, router, transaction
from django.utils import timezone

from dbops.diagnose import diagnose_alias
from dbops.errors import DbopsError
from dbops.history.episodes import with_past
from dbops.history.storage import store, store_failure
from dbops.models import Look

if TYPE_CHECKING:
    from collections.abc import Callable

#: After so long a look is taken for dead: its process ended in the middle of it. Its statements have shorter limits.
EXPIRES_AFTER: Final = timedelta(minutes=5)
_DIED: Final = "the process that looked ended in the middle of it"


def claim(alias: str) -> Look | None:
    """Begin a look at DATABASES[alias], which whoever calls must then take; None while another one is running."""
    expired = Look.objects.filter(
        alias=alias, status=Look.Status.RUNNING, started_at__lt=timezone.now() - EXPIRES_AFTER
    )
    expired.update(status=Look.Status.FAILED, ended_at=timezone.now(), error=_DIED)
    try:
        with transaction.atomic(using=router.db_for_write(Look)):
            return Look.objects.create(alias=alias)
    except IntegrityError:
        return None


def buried(look: Look) -> Look:
    """Return `look`, failed if it has expired; its row stays as it is until the next `claim`."""
    if look.status == Look.Status.RUNNING and look.started_at < timezone.now() - EXPIRES_AFTER:
        look.status, look.error = Look.Status.FAILED, _DIED
    return look


def take(look: Look) -> None:
    """Look at the database that `look` was begun for, and write what it came to."""
    try:
        report = with_past(diagnose_alias(look.alias, may_start_server=False))
    except DbopsError as error:
        store_failure(look, str(error))
    else:
        store(look, report)


def start(alias: str) -> Callable[[float], bool] | None:
    """Have DATABASES[alias] looked at in a thread of its own.

    Returns:
        a function that waits so many seconds and says whether the look has ended by then; None while another one is
        running already.
    """
    look = claim(alias)
    if look is None:
        return None
    has_ended = threading.Event()
    # A daemon: a process that ends does not wait for a server that is silent.
    threading.Thread(target=_run, args=(look, has_ended), name="dbops-look", daemon=True).start()
    return has_ended.wait


def _run(look: Look, has_ended: threading.Event) -> None:
    is_stored = False
    try:
        take(look)
        is_stored = True
    finally:  # what was not expected goes to threading.excepthook
        try:
            if not is_stored:
                store_failure(look, "the look crashed: see the log")
        finally:
            connections.close_all()  # what Django opened for this thread
            has_ended.set()
