"""The services that are compared, each started as the same unprivileged user, and what the kernel knows of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Callable

from harness.ports import free_port
from harness.processes import Process, must
from harness.supervisor import Supervisor, User
from harness.waiting import wait_until
from harness.wire import Connection, exchange, request
from measure import memory, switches, threads

HERE = Path(__file__).resolve().parent
#: What is asked for, by the names used in tables.
ENDPOINTS = {"ping": "/ping", "device": "/v1/device"}


class Server:
    """A service that answers GET /ping and GET /v1/device."""

    name: str
    version = ""
    process: Process | None = None

    def __init__(self, key: str, folder: Path) -> None:
        self.key = key
        self.port = 0
        #: Requests as they go over the wire, by endpoint.
        self.requests = {name: folder / f"{self.stem}-{name}.request" for name in ENDPOINTS}

    @property
    def stem(self) -> str:
        """The name as part of a file's."""
        return re.sub(r"\W+", "-", self.name)

    def spawn(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        process, self.process = self.process, None
        if process:
            process.stop(20)

    def url(self, endpoint: str) -> str:
        return f"http://127.0.0.1:{self.port}{self.target(endpoint)}"

    def target(self, endpoint: str) -> str:
        return f"{ENDPOINTS[endpoint]}?apikey={self.key}"

    def write_requests(self) -> None:
        for endpoint, file in self.requests.items():
            file.write_bytes(request("GET", self.target(endpoint)))

    def body(self, endpoint: str) -> bytes:
        answer = exchange(("127.0.0.1", self.port), request("GET", self.target(endpoint)))
        assert answer.status == 200, f"{self.name}: {answer}"
        return answer.body

    def settle(self) -> None:
        """Waits until it is done with its start."""

    def first_answer(self) -> float:
        """Starts it; milliseconds from then to the end of its first answer to GET /ping."""
        data = request("GET", self.target("ping"))
        begin = time.monotonic()
        self.spawn()
        while True:
            try:
                with Connection(("127.0.0.1", self.port), timeout=5) as connection:
                    connection.send(data)
                    assert connection.receive().body == b"OK"
                    return (time.monotonic() - begin) * 1000
            except ConnectionRefusedError:
                assert self.process and self.process.running, f"{self.name} ended:\n{self.process and self.process.tail()}"
                time.sleep(0.0005)

    # ---- what the kernel knows

    @property
    def pids(self) -> list[int]:
        """The process and its children."""
        assert self.process
        pid = self.process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def cpu(self) -> float:
        """Seconds of processor time, in the kernel too, of all its threads that there are and were."""
        # Process clocks as clock_getcpuclockid(3) makes them: precise where /proc/PID/stat counts in ticks of 10 ms.
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self.pids)

    def memory(self) -> dict[str, float]:
        """Megabytes: resident, private, proportional."""
        parts = [memory(pid) for pid in self.pids]
        return {
            "resident": sum(part["rss"] for part in parts),
            "private": sum(part["private"] + part["private clean"] for part in parts),
            "proportional": sum(part["pss"] for part in parts),
        }

    def threads(self) -> int:
        return sum(threads(pid) for pid in self.pids)

    def switches(self) -> int:
        return sum(switches(pid)[0] for pid in self.pids)


class Ours(Server):
    """The release build, with one app on a real engine."""

    name = "supervisor"

    def __init__(self, supervisor: Supervisor, folder: Path) -> None:
        super().__init__(supervisor.key, folder)
        self.supervisor = supervisor
        self.port = supervisor.port
        self.version = must([supervisor.command()[-3], "--version"]).split()[-1]
        self.process = supervisor.process

    def spawn(self) -> None:
        self.process = self.supervisor.spawn()

    def stop(self) -> None:
        self.process = None
        self.supervisor.stop()

    def settle(self) -> None:
        self.supervisor.wait_settled(release="a")


class Peer(Server):
    """One of Tests/Benchmarks/peers."""

    def __init__(self, name: str, version: str, user: User, key: str, folder: Path) -> None:
        self.name = name
        super().__init__(key, folder)
        self.version = version
        self.user = user
        self.folder = folder
        #: The command by the port that it is to listen on.
        self.command: Callable[[int], list[str | Path]] = lambda port: []
        self.environment: dict[str, str] = {}

    def spawn(self) -> None:
        self.port = free_port()
        command = self.user.command(*self.command(self.port))
        self.process = Process(command, self.folder / f"{self.stem}.log", self.environment, self.folder)


def peers(user: User, root: Path, key: str, device: bytes) -> list[Peer]:
    """The three peers, ready to be started. `device` is what GET /v1/device has to answer."""
    built = Path(os.environ["BENCH_PEERS"])
    root.mkdir()
    # A checkout may be closed to the user.
    for file in (HERE / "peers/express/server.js", built / "go-service"):
        shutil.copy(file, root)
    (root / "key").write_text(key)
    (root / "values.json").write_bytes(device)
    arguments = [root / "key", root / "values.json"]
    state = root / "nginx"
    state.mkdir()
    for path in (root / "key", state):
        os.chown(path, user.uid, user.gid)
    (root / "key").chmod(0o600)

    node_version = must(["node", "--version"]).strip().lstrip("v")
    modules = {"NODE_PATH": "/usr/share/nodejs", "NODE_ENV": "production"}
    script = "console.log(require('express/package.json').version)"
    express_version = must(["node", "-e", script], env={**os.environ, **modules}).strip()
    express = Peer("node-express", f"{express_version} on node {node_version}", user, key, root)
    express.command = lambda port: ["node", root / "server.js", str(port), *arguments]
    express.environment = modules

    go = Peer("Go net/http", must(["go", "version"]).split()[2].removeprefix("go"), user, key, root)
    go.command = lambda port: [root / "go-service", str(port), *arguments]

    program = Path(os.environ["BENCH_NGINX"])
    # It says its version on standard error.
    version = must(["sh", "-c", 'exec "$0" -v 2>&1', program]).strip().rpartition("/")[2]
    nginx = Peer("nginx", version, user, key, root)
    text = (HERE / "peers/nginx/nginx.conf").read_text()

    def nginx_command(port: int) -> list[str | Path]:
        filled = text.replace("@PORT@", str(port)).replace("@ROOT@", str(state)).replace("@DEVICE@", device.decode())
        (state / "nginx.conf").write_text(filled)
        return [program, "-p", state, "-e", state / "error.log", "-c", state / "nginx.conf"]

    nginx.command = nginx_command
    return [express, go, nginx]


def start_all(servers: list[Server]) -> None:
    """Starts those that do not run; all have to give the same answers."""
    for server in servers:
        if not server.process:
            server.first_answer()
    for server in servers:
        server.settle()
        server.write_requests()
    for endpoint in ENDPOINTS:
        bodies = {server.name: server.body(endpoint) for server in servers}
        assert len(set(bodies.values())) == 1, f"the answers to {endpoint} differ: {bodies}"
    json.loads(servers[0].body("device"))


def wait_quiet(server: Server, deadline: float = 20) -> None:
    """Waits until it has used no processor time for 100 ms."""

    def quiet() -> bool:
        before = server.cpu()
        time.sleep(0.1)
        return server.cpu() - before < 0.001

    wait_until(quiet, deadline, f"{server.name} is idle")
