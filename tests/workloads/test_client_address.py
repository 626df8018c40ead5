"""Whose request it is: only what the deployment vouches for is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbops.workloads.client_address import client_network

if TYPE_CHECKING:
    from django.test import RequestFactory
    from pytest_django import Settings


@pytest.mark.parametrize(
    ("proxies", "asked", "network"),
    [
        (0, ("192.0.2.1", None), "192.0.2.1"),
        (0, ("192.0.2.1", "198.51.100.9"), "192.0.2.1"),
        (1, ("10.0.0.1", "198.51.100.9"), "198.51.100.9"),
        (1, ("10.0.0.1", "203.0.113.66, 198.51.100.9"), "198.51.100.9"),
        (2, ("10.0.0.1", "203.0.113.66, 198.51.100.9,10.0.0.2"), "198.51.100.9"),
        (2, ("192.0.2.1", "198.51.100.9"), "192.0.2.1"),
        (1, ("192.0.2.1", None), "192.0.2.1"),
        (1, ("10.0.0.1", "198.51.100.9, unknown"), "10.0.0.1"),
        (1, ("", "198.51.100.9"), "198.51.100.9"),
        (0, ("", None), ""),
        (0, ("2001:db8:1:2:3:4:5:6", None), "2001:db8:1:2::/64"),
        (0, ("2001:db8:1:2::7", None), "2001:db8:1:2::/64"),
        (0, ("::ffff:192.0.2.1", None), "192.0.2.1"),
        (0, ("fe80::1%eth0", None), "fe80::/64"),
    ],
)
def test_the_client_is_who_the_trusted_proxies_say(
    rf: RequestFactory, settings: Settings, proxies: int, asked: tuple[str, str | None], network: str
) -> None:
    """`asked`: by which address, and with what in X-Forwarded-For."""
    settings.TRUSTED_PROXIES = proxies
    connection, forwarded = asked
    request = rf.get("/", REMOTE_ADDR=connection)
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    assert client_network(request) == network


def test_a_project_without_the_setting_trusts_nobody(rf: RequestFactory, settings: Settings) -> None:
    del settings.TRUSTED_PROXIES
    request = rf.get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="198.51.100.9")
    assert client_network(request) == "192.0.2.1"
