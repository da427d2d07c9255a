"""A remote service that fails on demand, and the bus beside it, for the uplink."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable

from .ports import free_port
from .processes import Process, must
from .waiting import wait_until


@dataclass
class Call:
    """One request that the service was sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Answer:
    status: int = 200
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


def authority(folder: Path, name: str = "ca") -> tuple[Path, Path]:
    """A certificate authority of its own: certificate and key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    must(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"]
        + ["-subj", f"/CN=test {name}", "-keyout", key, "-out", certificate]
    )
    return certificate, key


def certificate(folder: Path, issuer: tuple[Path, Path], names: str, name: str = "server") -> tuple[Path, Path]:
    """A server's certificate for `names`, such as "DNS:localhost,IP:127.0.0.1"."""
    made, key, request, extensions = (folder / f"{name}{end}" for end in (".pem", ".key", ".csr", ".ext"))
    extensions.write_text(f"subjectAltName={names}\n")
    must(
        ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=server"]
        + ["-keyout", key, "-out", request]
    )
    must(
        ["openssl", "x509", "-req", "-in", request, "-CA", issuer[0], "-CAkey", issuer[1], "-CAcreateserial"]
        + ["-days", "3650", "-extfile", extensions, "-out", made]
    )
    return made, key


class Cloud:
    """HTTP or HTTPS on loopback. `answers` maps "METHOD path" to an answer, or to a function of the call."""

    def __init__(self, pair: tuple[Path, Path] | None = None, port: int = 0) -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, Answer | Callable[[Call], Answer]] = {}
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def log_message(self, *_: object) -> None:
                pass

            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                call = Call(self.command, self.path, headers, self.rfile.read(size))
                cloud.calls.append(call)
                given = cloud.answers.get(f"{call.method} {call.path}", Answer(404, {"error": "unknown"}))
                answer = given(call) if callable(given) else given
                if answer.raw is not None:
                    self.wfile.write(answer.raw)
                    self.close_connection = True
                    return
                body = b"" if answer.json is None else json.dumps(answer.json).encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if body:
                    self.send_header("Content-Type", "application/json")
                if answer.status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_PUT = answer

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.is_secure = pair is not None
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, pair))
            # In the thread of the connection, so that a client which breaks off stops no other.
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}" if self.is_secure else f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[Call]:
        return [call for call in list(self.calls) if f"{call.method} {call.path}" == name]

    def wait_called(self, name: str, count: int = 1, deadline: float = 15) -> list[Call]:
        def there() -> list[Call]:
            found = self.named(name)
            assert len(found) >= count, f"{len(found)} of {count}; all: {[(c.method, c.path) for c in self.calls]}"
            return found

        return wait_until(there, deadline, f"the service gets {name}")

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


#: It takes every client, and still has each sign: a server that knows a key sends something to be signed.
BUS = """
authorization { users: [
  { user: any, password: any },
  { nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 },
] }
no_auth_user: any
"""


class Bus:
    """A real nats-server that asks for no credentials, and a client of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: Process | None = None
        self.start()

    def start(self) -> None:
        configuration = self.folder / "nats.conf"
        configuration.write_text(BUS)
        command = ["nats-server", "-c", configuration, "-a", "127.0.0.1", "-p", str(self.port)]
        self.process = Process(command, self.folder / "nats.log")

        def listens() -> bool:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True

        wait_until(listens, 10, "nats-server listens")

    def kill(self) -> None:
        if self.process:
            self.process.kill()

    @property
    def address(self) -> str:
        return f"nats://127.0.0.1:{self.port}"


class BusClient:
    """The protocol of the bus by hand: a second implementation, with what the tests need."""

    def __init__(self, bus: Bus) -> None:
        self.socket = socket.create_connection(("127.0.0.1", bus.port), timeout=30)
        self.file = self.socket.makefile("rb")
        assert self.file.readline().startswith(b"INFO")
        self.serial = itertools.count(1)
        self.inbox = f"_INBOX.{time.monotonic_ns()}"
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "name": "test"}
        self.send(f"CONNECT {json.dumps(options)}\r\nSUB {self.inbox}.* 1\r\nPING\r\n".encode())
        assert self.file.readline() == b"PONG\r\n"

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def publish(self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None) -> None:
        if headers is None:
            self.send(f"PUB {subject} {reply} {len(payload)}\r\n".encode() + payload + b"\r\n")
            return
        head = "NATS/1.0\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers.items()) + "\r\n"
        sizes = f"{len(head)} {len(head) + len(payload)}"
        self.send(f"HPUB {subject} {reply} {sizes}\r\n{head}".encode() + payload + b"\r\n")

    def begin(self, subject: str, message: Any, headers: dict[str, str] | None = None) -> str:
        """Sends a request without waiting; returns where its answer will come."""
        inbox = f"{self.inbox}.{next(self.serial)}"
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.publish(subject, payload, inbox, {"Sup-Version": "1"} if headers is None else headers)
        return inbox

    def receive(self, deadline: float = 20) -> tuple[str, dict[str, Any] | None]:
        """The next answer: its subject, and the message; None where nothing serves the subject."""
        self.socket.settimeout(deadline)
        while True:
            line = self.file.readline().decode().split()
            assert line, "the bus has closed the connection"
            if line[0] == "PING":
                self.send(b"PONG\r\n")
            elif line[0] in ("MSG", "HMSG"):
                data = self.file.read(int(line[-1]) + 2)[:-2]
                head = int(line[-2]) if line[0] == "HMSG" else 0
                if b" 503" in data[:head].split(b"\r\n")[0]:
                    return line[1], None
                return line[1], json.loads(data[head:])
            elif line[0] == "-ERR":
                raise AssertionError(" ".join(line))

    def request(
        self, subject: str, message: Any, headers: dict[str, str] | None = None, deadline: float = 20
    ) -> dict[str, Any] | None:
        inbox = self.begin(subject, message, headers)
        while True:
            where, answer = self.receive(deadline)
            if where == inbox:
                return answer

    def close(self) -> None:
        self.socket.close()
