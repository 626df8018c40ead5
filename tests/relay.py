"""A way to a server on this machine that looks, from the server's side, like one over the network."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def network_address() -> str | None:
    """An IPv4 address of this machine that is not a loopback's; None where it has none."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which address would be used
        address: str = probe.getsockname()[0]
        return None if address.startswith("127.") else address
    return None


@contextmanager
def relayed(server: tuple[str, int], source: str) -> Iterator[int]:
    """Pass on whatever arrives at the port that this gives to `server`, from the address `source`."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(server, source_address=(source, 0)) as upstream:
                _pass_on(self.request, upstream)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        serving = threading.Thread(target=relay.serve_forever, args=(0.01,))
        serving.start()
        yield relay.server_address[1]
        relay.shutdown()
        serving.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    with suppress(ConnectionError):
        while True:
            for readable in select.select([one, other], [], [])[0]:
                data = readable.recv(65536)
                if not data:
                    return
                (other if readable is one else one).sendall(data)
