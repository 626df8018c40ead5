"""How often people may try to log in, to register and to change their password.

`ACCOUNT_LIMITS` in the settings has them by name, as a number of attempts and a number of seconds. What it does not
name is as below. *Client* is the network that a request came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core import checks

from dbops.workloads.rate_limits import RateLimit

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULTS: Final = {
    # Wrong passwords for one e-mail address by one client. Not by address alone: anybody could lock anybody out.
    "log_in_by_address": (10, 15 * 60),
    # Wrong passwords for any address by one client, which may be an office.
    "log_in_by_client": (50, 15 * 60),
    # Accounts made and taken addresses hit upon, since each answer says whether somebody is registered.
    "register_by_client": (5, 60 * 60),
    # Wrong old passwords in a session: it may be somebody else's browser.
    "change_password_by_user": (10, 15 * 60),
}


def limit(name: str) -> RateLimit:
    attempts, window_s = {**DEFAULTS, **_settings()}[name]
    return RateLimit(name, attempts, window_s)


def check_limits(**_: Any) -> Iterator[checks.CheckMessage]:
    """For `manage.py check`: what ACCOUNT_LIMITS says has to be known and possible."""
    for name, value in _settings().items():
        if name not in DEFAULTS:
            hint = f"known are {', '.join(DEFAULTS)}"
            yield checks.Error(f"ACCOUNT_LIMITS names an unknown limit, {name!r}", hint=hint, id="accounts.E001")
        elif not _is_possible(value):
            hint = "attempts and seconds, two whole numbers from 1, as in (10, 900)"
            yield checks.Error(f"ACCOUNT_LIMITS[{name!r}] is no limit: {value!r}", hint=hint, id="accounts.E002")


def _settings() -> dict[str, Any]:
    return getattr(settings, "ACCOUNT_LIMITS", {})


def _is_possible(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(type(n) is int and n > 0 for n in value)
