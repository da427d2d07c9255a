"""A local registry, and a proxy before it that is slow or fails in the ways of real networks."""

from __future__ import annotations

import ctypes
import http.client
import os
import re
import secrets
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .ports import free_port
from .processes import Process
from .waiting import wait_until


def _bcrypt(password: str) -> str:
    """As htpasswd -B writes it, the one form that docker-registry takes; by crypt(3) of libxcrypt."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    salt = "".join(secrets.choice(alphabet) for _ in range(21)) + "."
    made = library.crypt(password.encode(), f"$2b$04${salt}".encode()).decode()
    assert made.startswith("$2b$"), made
    return made


class Registry:
    """docker-registry with its storage in a folder.

    With `users` (names and passwords) it is a private one. Two may share a storage: images are put in through the open
    one.
    """

    def __init__(self, root: Path, users: dict[str, str] | None = None, storage: Path | None = None) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.address = f"127.0.0.1:{free_port()}"
        self._passwords = root / "htpasswd"
        config = root / "config.yml"
        text = (
            "version: 0.1\n"
            "log: {level: warn}\n"
            f"storage: {{filesystem: {{rootdirectory: {storage or root / 'storage'}}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{self.address}'}}\n"
        )
        if users is not None:
            self.set_users(users)
            text += f"auth: {{htpasswd: {{realm: test, path: {self._passwords}}}}}\n"
        config.write_text(text)
        self.process = Process(["docker-registry", "serve", config], root / "registry.log")
        wait_until(self._answers, 15, "docker-registry answers")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.address, timeout=2)
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)

    def set_users(self, users: dict[str, str]) -> None:
        """Who may come in from now on: it looks at the file with each request."""
        temporary = self._passwords.with_name("htpasswd.new")
        temporary.write_text("".join(f"{name}:{_bcrypt(password)}\n" for name, password in users.items()))
        # Its time of change must be another one.
        if self._passwords.exists():
            later = self._passwords.stat().st_mtime + 1
            os.utime(temporary, (later, later))
        temporary.rename(self._passwords)

    def stop(self) -> None:
        self.process.kill()


class FailingProxy:
    """An HTTP proxy before the registry.

    Until told otherwise it hands everything through. The settings may be changed at any time and count for requests that
    come afterwards, `bytes_per_second` for downloads under way too. `requests` is what was asked: (method, path), and
    `sent` how many bytes of each blob went out, by digest.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.requests: list[tuple[str, str]] = []
        self.reset()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                """Connections that break are this server's business, not the terminal's."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def reset(self) -> None:
        """Hands everything through from now on."""
        #: of all blobs together; None = as fast as it goes
        self.bytes_per_second: float | None = None
        #: (pattern for "METHOD path", status, how often; None = always)
        self.failures: list[tuple[re.Pattern[str], int, int | None]] = []
        #: blobs are cut after so many bytes
        self.cut_after: int | None = None
        #: how many more blobs are cut; None = all
        self.cut_times: int | None = None
        #: one byte of each blob is wrong
        self.corrupt = False
        #: ... of those with as many bytes as this
        self.corrupt_from = 0
        #: white space of each manifest is other than it was
        self.corrupt_manifests = False
        #: connections are closed at once, as by something that is no registry
        self.hang_up = False
        self.blob_bytes = 0
        self.requests.clear()
        self.sent: dict[str, int] = {}
        #: the Authorization headers that came
        self.authorizations: list[str] = []
        self._lock = threading.Lock()
        self._due = 0.0

    def fail(self, pattern: str, status: int, times: int | None = None) -> None:
        """Answers requests whose "METHOD path" matches with a status."""
        self.failures.append((re.compile(pattern), status, times))

    def cut(self, after: int, times: int | None = None) -> None:
        """Ends the connection within a blob."""
        self.cut_after, self.cut_times = after, times

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # ---- for the handler

    def status_for(self, line: str) -> int | None:
        with self._lock:
            for index, (pattern, status, times) in enumerate(self.failures):
                if pattern.search(line) and times != 0:
                    if times is not None:
                        self.failures[index] = (pattern, status, times - 1)
                    return status
        return None

    def takes_cut(self, length: int) -> bool:
        with self._lock:
            if self.cut_after is None or length <= self.cut_after or self.cut_times == 0:
                return False
            if self.cut_times is not None:
                self.cut_times -= 1
            return True

    def pace(self, path: str, count: int) -> None:
        """Holds the caller until `count` more bytes of a blob may go out."""
        with self._lock:
            self.blob_bytes += count
            digest = path.rsplit("/", 1)[1]
            self.sent[digest] = self.sent.get(digest, 0) + count
            rate = self.bytes_per_second
            if rate is None:
                self._due = 0.0
                return
            now = time.monotonic()
            self._due = max(self._due, now) + count / rate
            pause = self._due - now
        time.sleep(max(0.0, pause))


class _Handler(BaseHTTPRequestHandler):
    owner: FailingProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        owner = self.owner
        owner.requests.append((self.command, self.path))
        if "Authorization" in self.headers:
            owner.authorizations.append(self.headers["Authorization"])
        if owner.hang_up:
            self.close_connection = True
            return
        status = owner.status_for(f"{self.command} {self.path}")
        if status is not None:
            return self._refuse(status)
        upstream = http.client.HTTPConnection(owner.upstream, timeout=30)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            # Not through a dict: the engine sends Accept several times, and each of them counts.
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "transfer-encoding"):
                    upstream.putheader(name, value)
            upstream.endheaders()
            answer = upstream.getresponse()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self._body(answer)
        finally:
            upstream.close()

    do_HEAD = do_GET

    def _refuse(self, status: int) -> None:
        codes = {401: "UNAUTHORIZED", 403: "DENIED", 404: "MANIFEST_UNKNOWN", 429: "TOOMANYREQUESTS"}
        code = codes.get(status, "UNKNOWN")
        body = b'{"errors":[{"code":"%s","message":"refused by the test"}]}' % code.encode()
        self.send_response_only(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
        if status == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self, answer: http.client.HTTPResponse) -> None:
        owner = self.owner
        blob = "/blobs/" in self.path
        length = int(answer.headers.get("Content-Length") or 0)
        cut = blob and owner.takes_cut(length)
        sent = 0
        while data := answer.read(4096):
            if "/manifests/" in self.path and owner.corrupt_manifests and sent == 0:
                data = data.replace(b" ", b"\t", 1)
            if blob:
                if cut and sent + len(data) > (owner.cut_after or 0):
                    self.wfile.flush()
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if owner.corrupt and length >= owner.corrupt_from and sent == 0:
                    data = bytes([data[0] ^ 1]) + data[1:]
                owner.pace(self.path, len(data))
            self.wfile.write(data)
            sent += len(data)
