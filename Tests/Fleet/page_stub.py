"""A small stand-in for the service behind the page: hostile texts, a lock that only force overrides."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

FILES = Path(__file__).parents[2] / "fleet/Sources/Page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
TOKEN = "right-token"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> '$(touch /tmp/x)`id`\""
LOCKED = f"{1:032x}"


def device(number: int) -> dict:
    name = HOSTILE if number == 0 else f"kiosk-{number:03}"
    return {
        "id": number + 1, "uuid": f"{number:032x}", "name": name, "application": 7, "deviceType": "x", "pinnedRelease": None,
        "connected": number != 2, "connectedChanged": "2026-01-01T00:00:00.000Z", "status": HOSTILE if number == 0 else "Idle",
        "supervisorVersion": "6.6.11", "osVersion": HOSTILE, "osVariant": "prod", "ipAddress": "192.0.2.1",
        "macAddress": "", "runningRelease": "a" * 40, "created": "2026-01-01T00:00:00.000Z", "lastPoll": None,
        "lastReport": "2026-01-01T00:00:00.000Z", "revoked": False, "keyResetUntil": None,
    }


class Stub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.devices = [device(number) for number in range(120)]
        self.commands: list[tuple[str, dict]] = []
        self.questions: list[str] = []
        self.events = 0
        self.paths: list[str] = []
        self.host_name = "old-name"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Stub

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: object = None, kind: str = "application/json; charset=utf-8") -> None:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if data:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.server.paths.append(self.path)
        if not url.path.startswith("/api/"):
            path = FILES / (url.path.strip("/") or "index.html")
            return self.answer(200, path.read_bytes(), TYPES[path.suffix]) if path.is_file() else self.answer(404)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "the token is not known"})
        if url.path == "/api/v1/whoami":
            return self.answer(200, {"id": 1, "name": "tester", "scope": "operate"})
        if url.path == "/api/v1/applications":
            return self.answer(200, {"items": [{"id": 7, "name": HOSTILE}, {"id": 8, "name": "other"}], "next": None})
        if url.path == "/api/v1/devices":
            if "search" in query and "application" not in query:
                return self.answer(400, {"error": "search needs application"})
            after, limit = int(query.get("cursor", 0)), int(query.get("limit", 50))
            found = [
                one for one in self.server.devices
                if one["id"] > after and one["name"].startswith(query.get("search", ""))
                and query.get("application", "7") == "7"
            ]
            return self.answer(200, {"items": found[:limit], "next": str(found[limit - 1]["id"]) if len(found) > limit else None})
        if url.path.startswith("/api/v1/devices/"):
            for one in self.server.devices:
                if one["uuid"] == url.path.rsplit("/", 1)[1]:
                    report = {"apps": {"7": {"services": {"71": {"status": HOSTILE, "download_progress": 30}}}}}
                    return self.answer(200, one | {"report": report})
        if url.path == "/api/v1/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            self.wfile.write(b": alive\n\n")
            event = {"type": "presence", "uuid": f"{3:032x}", "connected": False}
            try:
                for _ in range(300):
                    # As the service does: each command, also a question of the page, is an event.
                    asked = {"type": "command", "uuid": LOCKED, "command": "GET /v1/device", "actor": "x", "statusCode": 200}
                    self.wfile.write(f"data: {json.dumps(asked)}\n\n".encode())
                    self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                    self.server.events += 1
                    threading.Event().wait(0.4)
            except OSError:
                pass  # The page has gone.
            return None
        return self.answer(404, {"error": "there is no such resource"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.answer(401)
        url, method, data = self.path.removeprefix("/supervisor"), body.get("method", "POST"), body.get("data", {})
        if (method, url) == ("GET", "/v1/device"):
            self.server.questions.append(body["uuid"])
        else:
            self.server.commands.append((url, body))
        locked = body["uuid"] == LOCKED
        if (method, url) == ("GET", "/v1/device"):
            lock = {"appId": 7, "service": HOSTILE, "path": "/x", "holder": "uid 0", "since": 1_700_000_000, "reason": None}
            return self.answer(200, {"status": "Idle", "commit": "a" * 40, "download_progress": 40 if locked else None,
                                     "update_pending": locked, "update_failed": False, "locks": [lock] if locked else [],
                                     "connectivity": {"enabled": True, "connected": True}})
        if url == "/v1/device/host-config":
            if method == "PATCH":
                self.server.host_name = data["network"]["hostname"]
                return self.answer(200, b"OK", "text/plain")
            return self.answer(200, {"network": {"hostname": self.server.host_name, "proxy": None}})
        if locked and url in ("/v1/restart", "/v1/reboot") and data.get("force") is not True:
            return self.answer(423, "Updates are locked by application 7")
        return self.answer(200) if url == "/v1/blink" else self.answer(200, b"OK", "text/plain")
