"""Who may see the detail: staff by their session, or whoever has the token."""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.utils.crypto import constant_time_compare

from dbops.conf import read
from dbops.health.threads import threads_for

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)

#: How long the session may take to be read: it lies in what may just be down.
SESSION_WITHIN_S: Final = 1.0
_SCHEME: Final = "bearer"


class Access(Enum):
    """Whether somebody may see the detail, and the answer for those who may not: status and words."""

    GRANTED = (200, "")
    UNKNOWN = (401, "for staff, or with the token: Authorization: Bearer …")
    REFUSED = (403, "for staff alone")
    UNREADABLE = (503, "your session cannot be read now; the token works: Authorization: Bearer …")


async def access(request: HttpRequest) -> Access:
    """Return whether `request` may see the detail. A token is judged without a session, and so without a database."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == _SCHEME:
        token = read(getattr(settings, "DBOPS", {}))[0].health_token
        is_right = token is not None and constant_time_compare(given.strip(), token)
        return Access.GRANTED if is_right else Access.UNKNOWN
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or not hasattr(request, "user"):
        return Access.UNKNOWN
    reading = asyncio.wrap_future(threads_for("session").submit(_user, request))
    await asyncio.wait({reading}, timeout=SESSION_WITHIN_S)
    if not reading.done():
        reading.cancel()
        return Access.UNREADABLE
    if (error := reading.exception()) is not None:
        logger.warning("a session could not be read", exc_info=error)
        return Access.UNREADABLE
    user = reading.result()
    if not user.is_authenticated:
        return Access.UNKNOWN
    return Access.GRANTED if user.is_active and getattr(user, "is_staff", False) else Access.REFUSED


def _user(request: HttpRequest) -> Any:
    """Return the request's user, read in the thread that calls."""
    request.user.is_authenticated  # noqa: B018  it is lazy: asked here, it is read here
    return request.user
