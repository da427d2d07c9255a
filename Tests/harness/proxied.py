"""The world outside a machine, for the tests of its proxy: a server, and a proxy on the way to it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from .machine import Machine, Neighbour
from .waiting import wait_until

#: Addresses that only the server has here; not reserved, so they would go through the proxy.
PROXIED, DIRECT = "45.0.0.10", "46.0.0.10"
SERVER = textwrap.dedent(
    """
    import http.server, sys
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.client_address[0].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *_): pass
    http.server.ThreadingHTTPServer(("0.0.0.0", 80), Handler).serve_forever()
    """
)


@dataclass
class World:
    """A server that says who asked, and a proxy on another address."""

    device: Machine
    server: Neighbour
    proxy: Neighbour

    def host_seen_as(self, address: str) -> str:
        return self.device.run("curl", "-s", "-m", "5", f"http://{address}/").out

    def app_seen_as(self, address: str) -> str:
        id = self.device.wait_app()["Id"]
        # Not `wget -T`, which ends a static busybox.
        limited = ["busybox", "timeout", "5", "wget", "-qO-", f"http://{address}/"]
        return self.device.run("docker", "exec", id, *limited).out

    def set(self, **proxy: object) -> None:
        answer = self.device.app_asks("PATCH", "/v1/device/host-config", {"network": {"proxy": proxy or None}})
        assert "200" in answer.splitlines()[0], answer

    def is_proxied(self) -> bool:
        return self.host_seen_as(PROXIED) == self.proxy.address


def microsocks(world: World, *words: str) -> None:
    world.proxy.start("microsocks", "-i", "0.0.0.0", "-p", "1080", *words)
    wait_until(lambda: world.proxy.run("ss", "-Hltn", "sport = :1080").out, 10, "the proxy listens")
