#!/usr/bin/python3
"""A crowd that sends text which costs more than its size where text is compared as text, while somebody with the key asks
/ping.

    Tests/Benchmarks/attack.py [--seconds 60] [--connections 500] [--program PATH] [PLACE...]

Starts a supervisor of its own without an engine, attacks one place after the other (all of them without an argument), and
prints how long /ping took meanwhile and the longest time between two messages to the watchdog. Exits with 1 if /ping took
more than 50 ms in one of a hundred cases, or if the watchdog was not fed in time. The crowd shares the processors with the
supervisor; it runs at the lowest priority.
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Marks of two classes in the wrong order: each has to be sorted past each before it can be compared.
HEADER_MARKS = ("\u0301" * 7750 + "\u0323" * 7750).encode()
BODY_MARKS = ("\u0301" * 24_000 + "\u0323" * 24_000).encode()
WATCHDOG = 10
#: Processes of the crowd.
SENDERS = 2


def request(method: str, path: str, fields: list[tuple[str, bytes]] = [], body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n".encode()
    head += b"".join(name.encode() + b": " + value + b"\r\n" for name, value in fields)
    if body:
        head += f"Content-Length: {len(body)}\r\n".encode()
    return head + b"\r\n" + body


def places(key: str) -> dict[str, bytes]:
    """What the crowd sends, by place. Bodies come with the key: without it they are not looked at."""
    header = lambda name, before=b"", after=b" x": request("GET", "/ping", [(name, before + HEADER_MARKS + after)])  # noqa: E731
    keyed = [("Authorization", b"Bearer " + key.encode())]
    json = [*keyed, ("Content-Type", b"application/json")]
    form = [*keyed, ("Content-Type", b"application/x-www-form-urlencoded")]
    patch = lambda text: request("PATCH", "/v1/device/host-config", json, text)  # noqa: E731
    member = lambda name: patch(b'{"network":{"proxy":{"' + name + b'":"' + BODY_MARKS + b'"}}}')  # noqa: E731
    result = {
        "Authorization": header("Authorization"),
        "Authorization-key": header("Authorization", b"Bearer "),
        "Content-Type": header("Content-Type", after=b"; x"),
        "Content-Encoding": header("Content-Length: 3\r\nContent-Encoding"),
        "Transfer-Encoding": header("Transfer-Encoding"),
        "Expect": header("Content-Length: 3\r\nExpect"),
        "Connection": header("Connection", after=b", x"),
        "Upgrade": header("Upgrade"),
        "X-Request-Id": header("X-Request-Id"),
        "Host": header("Host"),
        "other-header": header("X-Other"),
        "path": b"GET /v1/" + HEADER_MARKS[:8000] + b" HTTP/1.1\r\nHost: d\r\n\r\n",
        "query": b"GET /ping?apikey=" + b"%CC%81" * 600 + b"%CC%A3" * 600 + b" HTTP/1.1\r\nHost: d\r\n\r\n",
        "query-name": b"GET /ping?" + b"%CC%81" * 600 + b"%CC%A3" * 600 + b"=x HTTP/1.1\r\nHost: d\r\n\r\n",
        "body-value": request("POST", "/v1/restart", json, b'{"appId":"' + BODY_MARKS + b'"}'),
        "body-force": request("POST", "/v1/update", json, b'{"force":"' + BODY_MARKS + b'"}'),
        "body-name": request("POST", "/v1/restart", json, b'{"' + BODY_MARKS + b'":1}'),
        "body-form": request("POST", "/v1/restart", form, b"&".join(b"%%CC%%81%d=" % n for n in range(7000))),
        "patch-network": patch(b'{"network":"' + BODY_MARKS + b'"}'),
        "patch-hostname": patch(b'{"network":{"hostname":"' + BODY_MARKS + b'"}}'),
        "patch-unknown": patch(b'{"network":{"proxy":{"' + BODY_MARKS + b'":1}}}'),
        "patch-noProxy": patch(b'{"network":{"proxy":{"noProxy":["' + BODY_MARKS + b'"]}}}'),
        "body-without-key": request("POST", "/v1/restart", json[1:], b'{"appId":"' + BODY_MARKS + b'"}'),
    }
    for name in ("type", "ip", "port", "login", "password"):
        result[f"patch-{name}"] = member(name.encode())
    return result


def attack(port: int, data: bytes, connections: int, report: int) -> None:
    """Sends `data` on as many connections, each anew after its answer, for ever. Writes the number of answers so far."""
    selector = selectors.EpollSelector()
    state: dict[socket.socket, int] = {}
    answers, told = 0, time.monotonic()

    def connect() -> None:
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port))
        state[client] = 0
        selector.register(client, selectors.EVENT_WRITE)

    def drop(client: socket.socket) -> None:
        selector.unregister(client)
        del state[client]
        client.close()
        connect()

    for _ in range(connections):
        connect()
    while True:
        for item, events in selector.select(0.1):
            client = item.fileobj
            assert isinstance(client, socket.socket)
            try:
                if events & selectors.EVENT_WRITE:
                    state[client] += client.send(data[state[client] :])
                    if state[client] == len(data):
                        selector.modify(client, selectors.EVENT_READ)
                else:
                    answers += client.recv(4096).startswith(b"HTTP/1.1 ")
                    drop(client)
            except BlockingIOError:
                pass
            except OSError:
                drop(client)
        if time.monotonic() - told > 0.2:
            told = time.monotonic()
            os.pwrite(report, b"%20d" % answers, 0)


class Watchdog:
    """The service manager's end of the watchdog."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.fed = time.monotonic()
        self.gap = 0.0
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        while True:
            if b"WATCHDOG=1" in self.socket.recv(4096):
                self.gap = max(self.gap, time.monotonic() - self.fed)
                self.fed = time.monotonic()

    def reset(self) -> None:
        self.gap = 0.0

    @property
    def longest(self) -> float:
        return max(self.gap, time.monotonic() - self.fed)


def ping(port: int, key: str) -> float:
    begin = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(request("GET", "/ping", [("Authorization", b"Bearer " + key.encode())]))
            if not client.recv(4096).startswith(b"HTTP/1.1 200"):
                return 99.0
    except OSError:
        return 99.0
    return time.monotonic() - begin


def measure(port: int, key: str, data: bytes, connections: int, seconds: float) -> tuple[list[float], int]:
    files = [tempfile.TemporaryFile() for _ in range(SENDERS)]
    children = []
    for file in files:
        child = os.fork()
        if child == 0:
            os.nice(19)
            try:
                attack(port, data, connections // SENDERS, file.fileno())
            finally:
                os._exit(1)
        children.append(child)
    try:
        time.sleep(1)
        times = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            times.append(ping(port, key))
            time.sleep(max(0.0, 0.1 - (time.monotonic() - begin)))
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
    return sorted(times), sum(int(os.pread(file.fileno(), 20, 0) or 0) for file in files)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--program", type=Path, default=ROOT / ".build/ship/bin/device-supervisor")
    parser.add_argument("places", nargs="*", metavar="PLACE")
    options = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "conf").write_text(
            f"[Supervisor]\nStateDirectory={folder}/state\nRuntimeDirectory={folder}/run\n"
            f"[API]\nPort={port}\nInterfaces=lo\n[Engine]\nSocket={folder}/none\n"
            f"[Applications]\nDataDirectory={folder}/data\nLockDirectory={folder}/locks\n[Plugins]\nSearchPath={folder}/plugins\n"
        )
        for part in ("state", "run", "data", "locks", "plugins"):
            (folder / part).mkdir()
        watchdog = Watchdog(folder / "notify")
        environment = {**os.environ, "NOTIFY_SOCKET": f"{folder}/notify", "WATCHDOG_USEC": str(WATCHDOG * 1_000_000)}
        log = open(folder / "log", "wb")
        process = subprocess.Popen([options.program, "--config", folder / "conf"], env=environment, stderr=log)
        try:
            key_file = folder / "state/api-key"
            while not key_file.exists() or ping(port, key_file.read_text().strip()) > 10:
                if process.poll() is not None:
                    sys.exit((folder / "log").read_text())
                time.sleep(0.1)
            key = key_file.read_text().strip()
            everything = places(key)
            print(f"{'place':<20} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'watchdog s':>10}")
            for place in options.places or everything:
                watchdog.reset()
                times, answers = measure(port, key, everything[place], options.connections, options.seconds)
                p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
                print(
                    f"{place:<20} {answers / (options.seconds + 1):>10.0f} {p50 * 1000:>8.1f} {p99 * 1000:>8.1f} "
                    f"{times[-1] * 1000:>8.1f} {watchdog.longest:>10.1f}",
                    flush=True,
                )
                # What the crowd has left behind is none of the next one's.
                quiet = time.monotonic() + 2
                while time.monotonic() < quiet:
                    if ping(port, key) > 0.02:
                        quiet = time.monotonic() + 2
                failures += p99 > 0.05 or watchdog.longest > WATCHDOG or process.poll() is not None
        finally:
            process.terminate()
            process.wait(20)
            busy = [line for line in (folder / "log").read_text(errors="replace").splitlines() if "event loop" in line]
            print("\n".join(busy[:10]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
