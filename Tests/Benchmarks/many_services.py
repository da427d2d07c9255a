"""A hundred services on one device, on a real engine: what the supervisor needs, and how long it looks at them."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from typing import Any

from device import device
from generators import pace
from harness import target
from harness.paths import SANDBOX_ROOT
from harness.supervisor import Supervisor
from harness.waiting import wait_until
from measure import memory, switches, threads
from servers import Ours, Server
from side_by_side import SETTLED, say

#: Images among which the services are divided: each is one question to the engine in every cycle.
IMAGES = 10


@dataclass
class Plan:
    apps: int = 10
    services: int = 10
    cycles: int = 20
    updates: int = 5
    idle: int = 60


QUICK = Plan(apps=5, services=4, cycles=5, updates=2, idle=5)


def state(plan: Plan, changed: int = 0) -> dict[str, dict[str, Any]]:
    """Apps of several services; `changed` is in the environment of the first one."""
    apps: dict[str, dict[str, Any]] = {}
    for app in range(plan.apps):
        services = {}
        for service in range(plan.services):
            number = app * plan.services + service
            services[str(1 + number)] = {
                "serviceName": f"service{service}",
                "imageId": 1 + number,
                "image": f"demo:{1 + number % IMAGES}",
                "running": True,
                "environment": {"NUMBER": str(number), "CHANGED": str(changed if number == 0 else 0)},
                "labels": {},
            }
        apps[str(target.APP + app)] = {
            "name": f"app{app}",
            "commit": target.commit("a"),
            "releaseId": 1,
            "services": services,
            "volumes": {},
            "networks": {},
        }
    return apps


def processor_time(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2)


def cycle(supervisor: Supervisor, begin_it: Any, engine_pid: int) -> tuple[float, float, float]:
    """Milliseconds until the supervisor rests again, and of its and of the engine's processor time.

    It rests when it has used no processor time for 300 ms; the cycle ended with the last that it did use.
    """
    pid = supervisor.pid
    used, engine_used = processor_time(pid), processor_time(engine_pid)
    before, begin = used, time.monotonic()
    last = begin
    begin_it()
    while time.monotonic() - last < 0.3:
        time.sleep(0.0005)
        now = processor_time(pid)
        if now != used:
            used, last = now, time.monotonic()
    return (last - begin) * 1000, (used - before) * 1000, (processor_time(engine_pid) - engine_used) * 1000


def run(quick: bool) -> dict[str, Any]:
    plan = QUICK if quick else Plan()
    plan.apps = int(os.environ.get("BENCH_APPS", plan.apps))
    plan.services = int(os.environ.get("BENCH_SERVICES", plan.services))
    with device(IMAGES) as supervisor:
        supervisor.write_target(state(plan))
        return measure(supervisor, plan)


def settled(supervisor: Supervisor, count: int) -> bool:
    supervisor.assert_alive()
    running = [container for container in supervisor.engine.containers() if container["State"] == "running"]
    assert len(running) == count, f"{len(running)} of {count} run"
    device = supervisor.device()
    assert device["status"] == "Idle" and not device["update_pending"], device
    return True


def measure(supervisor: Supervisor, plan: Plan) -> dict[str, Any]:
    engine = supervisor.engine
    count = plan.apps * plan.services
    values: dict[str, list[float]] = {}
    say(f"{count} services: {plan.apps} apps of {plan.services}")
    begin = time.monotonic()
    supervisor.start()
    wait_until(lambda: settled(supervisor, count), 600, f"{count} services run")
    values["install"] = [time.monotonic() - begin]
    values["resident when installed"] = [memory(supervisor.pid)["rss"]]
    say(f"installed in {values['install'][0]:.0f} s; the supervisor starts again")
    supervisor.stop()
    begin = time.monotonic()
    supervisor.start()
    values["api after start"] = [(time.monotonic() - begin) * 1000]
    wait_until(lambda: settled(supervisor, count), 60, "it is idle again")
    time.sleep(SETTLED)
    pid = supervisor.pid
    used = memory(pid)
    values["resident"] = [used["rss"]]
    values["private"] = [used["private"] + used["private clean"]]
    values["proportional"] = [used["pss"]]
    values["threads"] = [threads(pid)]
    assert engine.process
    engine_pid = engine.process.pid

    say(f"{plan.idle} s without a request")
    first, used_before = switches(pid)[0], processor_time(pid)
    time.sleep(plan.idle)
    values["switches"] = [(switches(pid)[0] - first) * 60 / plan.idle]
    values["processor"] = [(processor_time(pid) - used_before) * 1000 * 60 / plan.idle]

    say(f"{plan.cycles} cycles that find nothing to do")
    for _ in range(plan.cycles):
        elapsed, ours, theirs = cycle(supervisor, lambda: supervisor.write_target(state(plan)), engine_pid)
        values.setdefault("cycle", []).append(elapsed)
        values.setdefault("cycle cpu", []).append(ours)
        values.setdefault("cycle engine cpu", []).append(theirs)

    say(f"{plan.updates} updates of one service among them")
    ids = lambda: {container["Id"] for container in engine.containers()}  # noqa: E731
    for number in range(plan.updates):
        before, begin = ids(), time.monotonic()
        supervisor.write_target(state(plan, number + 1))
        wait_until(lambda: ids() != before, 30, "a container is replaced")
        wait_until(lambda: settled(supervisor, count), 30, "the update is over")
        values.setdefault("update", []).append((time.monotonic() - begin) * 1000)
        assert len(ids() & before) == count - 1, "one container alone is replaced"

    folder = SANDBOX_ROOT / "requests"
    folder.mkdir()
    server: Server = Ours(supervisor, folder)
    server.write_requests()
    for endpoint in ("ping", "device"):
        result = pace(server, [endpoint], 4, 500, 100)
        values[f"{endpoint} p50"] = [float(str(result["p50"]))]
        values[f"{endpoint} p99"] = [float(str(result["p99"]))]
    used = memory(pid)
    values["resident after all"] = [used["rss"]]
    say(f"a cycle takes {statistics.median(values['cycle']):.0f} ms")
    return {"apps": plan.apps, "services": plan.services, "images": IMAGES, "values": values}
