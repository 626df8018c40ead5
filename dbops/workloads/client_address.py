"""Who is asking: the network address that a request came from."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest


def client_network(request: HttpRequest) -> str:
    """The client's IPv4 address, or the /64 that its IPv6 address lies in, since that is what one client is given.

    The connection's own address, unless `settings.TRUSTED_PROXIES` says how many proxies stand before the site and
    append to X-Forwarded-For who asked them: then that many from the right. Whatever lies further left is what the
    client says of itself, so it is never read; a header that has fewer than that did not come through those proxies.
    Empty where neither is an address, as behind a proxy on a Unix socket that nobody declared.
    """
    proxies = getattr(settings, "TRUSTED_PROXIES", 0)
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < proxies <= len(forwarded) and (network := _network(forwarded[-proxies])):
        return network
    return _network(request.META.get("REMOTE_ADDR", ""))


def _network(text: str) -> str:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return ""
    if not isinstance(address, IPv4Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((int(address), 64), strict=False))
