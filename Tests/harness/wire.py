"""HTTP/1.1 by hand over a socket: what was sent and what came back, to the byte."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, Union

# (host, port), or the path of a unix socket
Address = Union[tuple[str, int], str, Path]


@dataclass
class Response:
    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    head: bytes = field(default=b"", repr=False)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The one value of a header; None where there is none. Twice is a fault of the server."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {self.head!r}"
        return values[0] if values else None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def pairs(self) -> list[tuple[str, Any]]:
        """The members of a JSON object in the order in which they came; a duplicate would be seen."""
        return json.loads(self.body, object_pairs_hook=lambda pairs: pairs)


def request(
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    version: str = "HTTP/1.1",
    host: str | None = "device",
) -> bytes:
    """The bytes of a request. Content-Length is added where there is a body and no header about its length."""
    lines = [f"{method} {target} {version}"]
    headers = list(headers)
    names = {name.lower() for name, _ in headers}
    if host is not None and "host" not in names:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


class Connection:
    """One connection; answers are read one after the other, so pipelining can be tried."""

    def __init__(self, address: Address, timeout: float = 15) -> None:
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(str(address))
        self.buffer = b""
        self.ended = False

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _more(self) -> bool:
        if self.ended:
            return False
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            return False
        self.buffer += data
        return True

    def _line(self) -> bytes:
        while b"\n" not in self.buffer:
            if not self._more():
                raise ConnectionError(f"the connection ended within a line: {self.buffer!r}")
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), f"a line of the answer does not end with CR LF: {line!r}"
        return line[:-1]

    def _exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not self._more():
                raise ConnectionError(f"the connection ended {count - len(self.buffer)} bytes too early")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def receive(self, method: str = "GET") -> Response:
        """One answer to a request of this method; interim answers (100) are returned as they are."""
        first = self._line()
        version, status, reason = (first.decode("latin-1").split(" ", 2) + [""])[:3]
        assert version in ("HTTP/1.1", "HTTP/1.0"), f"not an HTTP answer: {first!r}"
        assert len(status) == 3 and status.isdigit(), f"not a status: {first!r}"
        head = first + b"\r\n"
        headers: list[tuple[str, str]] = []
        while line := self._line():
            head += line + b"\r\n"
            name, colon, value = line.decode("latin-1").partition(":")
            assert colon and name and name == name.strip(), f"not a header: {line!r}"
            headers.append((name, value.strip(" \t")))
        answer = Response(version, int(status), reason, headers, head=head)
        bodiless = method == "HEAD" or answer.status in (204, 304) or answer.status < 200
        length = answer.header("Content-Length")
        if bodiless:
            return answer
        if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
            assert length is None, "both Content-Length and chunked"
            while size := int(self._line().split(b";")[0], 16):
                answer.body += self._exactly(size)
                assert self._exactly(2) == b"\r\n"
            while self._line():
                pass
        elif length is not None:
            answer.body = self._exactly(int(length))
        else:
            while self._more():
                pass
            answer.body, self.buffer = self.buffer, b""
        return answer

    def closed_by_peer(self, within: float = 5) -> bool:
        """Whether the other side ends the connection, with nothing more to say, within so many seconds."""
        self.socket.settimeout(within)
        try:
            return not self._more()
        except TimeoutError:
            return False


def exchange(address: Address, data: bytes, method: str = "GET", timeout: float = 15) -> Response:
    """One request on a connection of its own."""
    with Connection(address, timeout) as connection:
        connection.send(data)
        return connection.receive(method)
