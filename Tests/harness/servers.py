"""A web service as an app would be, for hand-overs, and somebody who asks it all the time."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

from .waiting import wait_until

#: Settings come by the environment: VERSION is what it answers, ADDRESS and PORT where. It says that it has taken over
#: COMPLETE_AFTER seconds after it has begun to serve ("never" does not), takes the lock before that with LOCK=1, and
#: ends by itself DIE_AFTER seconds after its start.
WEB = r'''
import os, select, signal, socket, sys, time

env = os.environ
version = env["VERSION"]
stopping = False


def stop(*_):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)
begun = time.monotonic()
listener = socket.socket()
# The former version serves on while this one begins, both on the one port.
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
time.sleep(float(env.get("BEGIN_AFTER", "0")))
listener.bind((env.get("ADDRESS", "127.0.0.1"), int(env["PORT"])))
listener.listen(128)
serving = time.monotonic()
print("serves", flush=True)
if env.get("LOCK"):
    try:
        os.close(os.open("/tmp/balena/updates.lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        print("lock taken", flush=True)
    except FileExistsError:
        print("lock refused", flush=True)


def serve():
    connection, _ = listener.accept()
    connection.settimeout(1)
    try:
        connection.recv(4096)
        connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Length: {len(version)}\r\n\r\n{version}".encode())
        connection.close()
    except OSError:
        pass


complete = env.get("COMPLETE_AFTER", "0")
said = complete == "never"
while True:
    ready, _, _ = select.select([listener], [], [], 0 if stopping else 0.02)
    if ready:
        serve()
    elif stopping:
        break
    if not said and time.monotonic() - serving >= float(complete):
        open(env.get("COMPLETE_FILE", "/tmp/balena/handover-complete"), "w").close()
        said = True
    if time.monotonic() - begun >= float(env.get("DIE_AFTER", "1e9")):
        sys.exit(7)
# Nobody waits any more; whoever comes between that look and this line is taken over by the other listener
# (net.ipv4.tcp_migrate_req).
listener.close()
'''

#: Asks http://NAME:PORT every 10 ms, and writes what it got to /data/answers: a line per question. As clients do, it
#: tries each address that the name has, and for two seconds more where none answers.
ASKER = r'''
import os, socket, time

name, port = os.environ["NAME"], int(os.environ["PORT"])


def ask():
    failure = OSError("the name has no address")
    for place in {found[4] for found in socket.getaddrinfo(name, port, socket.AF_INET, socket.SOCK_STREAM)}:
        try:
            with socket.create_connection(place, timeout=1) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                data = b""
                while piece := connection.recv(4096):
                    data += piece
        except OSError as error:
            failure = error
            continue
        if data:
            return data.rpartition(b"\r\n\r\n")[2].decode()
        failure = ConnectionResetError("no answer")
    raise failure


with open("/data/answers", "w", 1) as answers:
    while True:
        begin = time.monotonic()
        while True:
            try:
                answer = ask()
                break
            except OSError as error:
                answer = f"error {error!r}"
                if time.monotonic() - begin > 2:
                    break
        print(answer, file=answers)
        if time.monotonic() - begin > 0.1:
            print(f"{answer} took {time.monotonic() - begin:.2f} s", flush=True)
        time.sleep(0.01)
'''


def install(folder: Path) -> list[str]:
    """Puts the programs into `folder`, and returns the binds that a service needs to run them.

    They run on the host's Python, which comes into the container with its libraries.
    """
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    for name, text in {"web.py": WEB, "asker.py": ASKER}.items():
        (folder / name).write_text(text)
    return [f"{folder}:/srv:ro", "/usr:/usr:ro", "/lib:/lib:ro", "/lib64:/lib64:ro"]


def web(binds: list[str], port: int, version: str, **environment: Any) -> dict[str, Any]:
    """Members of a service that is the web service."""
    settings = {"PORT": port, "VERSION": version, **environment}
    return {
        "command": ["/usr/bin/python3", "-u", "/srv/web.py"],
        "volumes": binds,
        "environment": {name: str(value) for name, value in settings.items()},
    }


class Visitor:
    """Asks a web service of this machine every 10 ms, and remembers what it got: (when, answer or error)."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.place = (address, port)
        self.answers: list[tuple[float, str | OSError]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Visitor":
        wait_until(lambda: isinstance(self._ask(), str), 30, f"the web service at {self.place} answers")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(5)

    def _ask(self) -> str:
        with socket.create_connection(self.place, timeout=2) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data = b""
            while piece := connection.recv(4096):
                data += piece
        if not data:
            raise ConnectionResetError("no answer")
        return data.rpartition(b"\r\n\r\n")[2].decode()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            now = time.time()
            try:
                self.answers.append((now, self._ask()))
            except OSError as error:
                self.answers.append((now, error))
            due = max(due + 0.01, time.monotonic() - 0.05)
            time.sleep(max(0.0, due - time.monotonic()))

    @property
    def versions(self) -> list[str]:
        """The versions that answered, each once where several of the same followed one another."""
        seen: list[str] = []
        for _, answer in self.answers:
            if isinstance(answer, str) and seen[-1:] != [answer]:
                seen.append(answer)
        return seen

    @property
    def failures(self) -> list[tuple[float, OSError]]:
        return [(when, answer) for when, answer in self.answers if isinstance(answer, OSError)]

    @property
    def last(self) -> str | OSError | None:
        return self.answers[-1][1] if self.answers else None

    @property
    def longest_pause(self) -> float:
        """Seconds between two questions that were asked one after the other."""
        times = [when for when, _ in self.answers]
        return max((later - earlier for earlier, later in zip(times, times[1:])), default=0)
