"""The release build and three peers that do the same, in one run: what each costs and how fast it answers."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from device import device
from generators import full, pace, paced
from harness import target
from harness.paths import SANDBOX_ROOT
from harness.processes import Process
from harness.waiting import wait_until
from servers import ENDPOINTS, Ours, Server, peers, start_all, wait_quiet


@dataclass
class Plan:
    """How much of everything; rounds go through all services in turn, each beginning with another one."""

    starts: int = 9
    idle: int = 60
    requests: int = 100_000
    paced_rounds: int = 5
    paced_seconds: float = 4
    rate: int = 1000
    paced_connections: int = 16
    full_rounds: int = 3
    full_seconds: int = 2
    connections: tuple[int, ...] = (1, 16, 64)


QUICK = Plan(starts=3, idle=5, requests=10_000, paced_rounds=2, paced_seconds=1, full_rounds=2, full_seconds=1)

#: What the supervisor gives back 10 s after its start is not part of what it needs while idle.
SETTLED = 12


def run(quick: bool) -> dict[str, Any]:
    plan = QUICK if quick else Plan()
    with device() as supervisor:
        supervisor.write_target(target.app())
        supervisor.start()
        supervisor.wait_settled(release="a")
        folder = SANDBOX_ROOT / "requests"
        folder.mkdir()
        ours = Ours(supervisor, folder)
        others = peers(supervisor.user, SANDBOX_ROOT / "peers", supervisor.key, ours.body("device"))
        try:
            return compare([ours, *others], plan)
        finally:
            for server in others:
                server.stop()


def compare(servers: list[Server], plan: Plan) -> dict[str, Any]:
    values: dict[str, dict[str, list[float]]] = {}

    def add(row: str, server: Server, value: float) -> None:
        values.setdefault(row, {}).setdefault(server.name, []).append(value)

    def rounds(count: int, what: str) -> list[tuple[int, Server]]:
        say(what)
        order = []
        for number in range(count):
            first = number % len(servers)
            order += [(number, server) for server in servers[first:] + servers[:first]]
        return order

    for server in servers[1:]:
        server.first_answer()
    start_all(servers)
    for _, server in rounds(plan.starts, f"{plan.starts} starts of each"):
        server.stop()
        add("start", server, server.first_answer())
        server.settle()
    start_all(servers)

    say(f"{SETTLED + plan.idle} s without a request")
    time.sleep(SETTLED)
    for server in servers:
        for kind, megabytes in server.memory().items():
            add(f"idle {kind}", server, megabytes)
    before = {server.name: server.switches() for server in servers}
    time.sleep(plan.idle)
    for server in servers:
        add("switches", server, (server.switches() - before[server.name]) * 60 / plan.idle)

    say(f"{plan.requests} requests to each")
    for server in servers:
        pace(server, list(ENDPOINTS), 16, plan.requests, 0)
        wait_quiet(server)
        for kind, megabytes in server.memory().items():
            add(f"after {kind}", server, megabytes)
        add("threads", server, server.threads())

    for endpoint, path in ENDPOINTS.items():
        what = f"{plan.paced_rounds} rounds of {plan.paced_seconds:g} s at {plan.rate} requests a second, GET {path}"
        for _, server in rounds(plan.paced_rounds, what):
            window = paced(server, endpoint, plan.paced_connections, plan.rate, plan.paced_seconds)
            for name, value in asdict(window).items():
                add(f"{endpoint} paced {name}", server, value)
        for connections in plan.connections:
            what = f"{plan.full_rounds} rounds of {plan.full_seconds} s at {connections} connections, GET {path}"
            for _, server in rounds(plan.full_rounds, what):
                window = full(server, endpoint, connections, plan.full_seconds)
                add(f"{endpoint} rate {connections}", server, window.rate)
                add(f"{endpoint} cpu {connections}", server, window.cpu)
    calls: dict[str, dict[str, dict[str, float]]] = {}
    for endpoint, path in ENDPOINTS.items():
        say(f"system calls of GET {path}")
        calls[endpoint] = {server.name: system_calls(server, endpoint, plan) for server in servers}
    return {
        "plan": asdict(plan),
        "calls": calls,
        "versions": {server.name: server.version for server in servers},
        "device_bytes": len(servers[0].body("device")),
        "processors": os.cpu_count(),
        "values": values,
    }


def system_calls(server: Server, endpoint: str, plan: Plan) -> dict[str, float]:
    """Those of one request at the constant rate, by their names, as strace counts them."""
    file = SANDBOX_ROOT / "strace"
    command = ["strace", "-qq", "-c", "-f", "-U", "calls,name", "-o", file]
    trace = Process([*command, *(f"--attach={pid}" for pid in server.pids)], SANDBOX_ROOT / "strace.log")
    attached = lambda: all(  # noqa: E731
        "TracerPid:\t0" not in (task / "status").read_text()
        for pid in server.pids
        for task in Path(f"/proc/{pid}/task").iterdir()
    )
    wait_until(attached, 10, "strace is attached")
    count = plan.rate
    pace(server, [endpoint], plan.paced_connections, count, plan.rate)
    trace.stop(number=signal.SIGINT)
    lines = [line.split() for line in file.read_text().splitlines()]
    counted = {line[1]: int(line[0]) / count for line in lines if len(line) == 2 and line[0].isdigit()}
    counted.pop("total", None)
    return counted


def say(text: str) -> None:
    print(f"bench: {text}", flush=True)
