#!/usr/bin/python3
"""What the release build costs: memory, threads, wake-ups, start. A table with the budgets; status 1 if one is exceeded.

Runs in the sandbox (scripts/measure), with one app on a real engine, as the unprivileged user. --quick takes 10 s of idle
time and 10,000 requests in place of 60 s and 100,000: a look, not a measurement.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from device import device
from harness import target
from harness.paths import SANDBOX_ROOT
from harness.processes import run
from harness.supervisor import Supervisor, binary
from harness.waiting import wait_until
from harness.wire import Connection, request


@dataclass
class Row:
    name: str
    value: float
    unit: str
    budget: float | None = None

    @property
    def exceeded(self) -> bool:
        return self.budget is not None and self.value > self.budget


def memory(pid: int) -> dict[str, float]:
    """Megabytes (10^6 bytes) of a process, by /proc/PID/smaps_rollup (proc_pid_smaps(5))."""
    # Pages of a file that was just written count as dirty until it is on the disk.
    os.sync()
    kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M))
    of = lambda *names: sum(int(kilobytes[name]) for name in names) * 1024 / 1e6  # noqa: E731
    return {
        "rss": of("Rss"),
        "pss": of("Pss"),
        "private": of("Private_Dirty"),
        "private clean": of("Private_Clean"),
    }


def switches(pid: int) -> tuple[int, int]:
    """Voluntary and other context switches of all threads."""
    voluntary = other = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        voluntary += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)[1])  # type: ignore[index]
        other += int(re.search(r"^nonvoluntary_ctxt_switches:\s+(\d+)", text, re.M)[1])  # type: ignore[index]
    return voluntary, other


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def first_answer(supervisor: Supervisor) -> float:
    """Milliseconds from the start of the program to the end of its first /ping answer."""
    data = request("GET", f"/ping?apikey={supervisor.key}")
    begin = time.monotonic()
    supervisor.spawn()
    while True:
        try:
            with Connection(supervisor.address, timeout=5) as connection:
                connection.send(data)
                assert connection.receive().body == b"OK"
                return (time.monotonic() - begin) * 1000
        except ConnectionRefusedError:
            time.sleep(0.0005)


def load(supervisor: Supervisor, count: int) -> float:
    """So many requests over 16 connections; returns requests a second."""
    mix = ["/ping", "/v1/device", f"/v1/apps/{target.APP}", "/v1/healthy", "/nothing"]
    key = supervisor.key
    connections = [Connection(supervisor.address) for _ in range(16)]
    data = [request("GET", f"{path}?apikey={key}") for path in mix]
    begin = time.monotonic()
    for number in range(count // len(connections)):
        for connection in connections:
            connection.send(data[number % len(data)])
        for connection in connections:
            assert connection.receive().status in (200, 404)
    seconds = time.monotonic() - begin
    for connection in connections:
        connection.socket.close()
    return count / seconds


def throughput(supervisor: Supervisor) -> float | None:
    """/ping a second by wrk at 16 connections; its load generator runs on the same cores."""
    url = f"http://127.0.0.1:{supervisor.port}/ping?apikey={supervisor.key}"
    done = run(["wrk", "-t1", "-c16", "-d5s", url], timeout=30)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    return float(found[1]) if found else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--idle", type=int, help="seconds of idle time")
    parser.add_argument("--requests", type=int)
    options = parser.parse_args()
    idle = options.idle or (10 if options.quick else 60)
    count = options.requests or (10_000 if options.quick else 100_000)
    if os.environ.get("SUPERVISOR_TEST_SANDBOX") != "1":
        sys.exit("measure: start it as scripts/measure")

    rows: list[Row] = []
    with device() as supervisor:
        supervisor.write_target(target.app())
        supervisor.start()
        supervisor.wait_settled(release="a")
        starts = []
        for _ in range(9):
            supervisor.stop()
            starts.append(first_answer(supervisor))
            supervisor.wait_settled(release="a")
        rows.append(Row("start to first answer, median of 9", statistics.median(starts), "ms", 40))

        pid = supervisor.pid
        # 10 s after its start the supervisor gives back what only the start has needed.
        time.sleep(12)
        before = memory(pid)
        rows.append(Row("resident, idle", before["rss"], "MB", 18))
        rows.append(Row("private dirty, idle", before["private"], "MB", 2.5))
        rows.append(Row("private clean, idle", before["private clean"], "MB"))
        rows.append(Row("proportional, idle", before["pss"], "MB"))

        print(f"measure: {idle} s of idle time", flush=True)
        first, time_before = switches(pid), time.monotonic()
        time.sleep(idle)
        last, seconds = switches(pid), time.monotonic() - time_before
        rows.append(Row(f"voluntary switches a second, {idle} s idle", (last[0] - first[0]) / seconds, "/s", 1))
        rows.append(Row(f"other switches a second, {idle} s idle", (last[1] - first[1]) / seconds, "/s"))
        rows.append(Row("threads, idle", threads(pid), "", 4))

        print(f"measure: {count} requests", flush=True)
        load(supervisor, 2000)
        time.sleep(1)
        warm = memory(pid)
        rate = load(supervisor, count)
        wait_until(lambda: len(os.listdir(f"/proc/{pid}/fd")) < 40, 10, "the connections are gone")
        time.sleep(1)
        after = memory(pid)
        rows.append(Row(f"resident after {count} requests", after["rss"], "MB", 18))
        rows.append(Row(f"private dirty after {count} requests", after["private"], "MB"))
        # Code comes back with the first requests; what only grows would be data.
        rows.append(Row(f"growth of data, idle to after {count} requests", after["private"] - before["private"], "MB", 1))
        rows.append(Row(f"growth, after 2000 to after {count} more", after["rss"] - warm["rss"], "MB", 1))
        rows.append(Row("threads after them", threads(pid), "", 4))
        rows.append(Row("mixed requests a second (Python client)", rate, "/s"))
        wrk = throughput(supervisor)
        if wrk is not None:
            rows.append(Row("/ping a second (wrk, 16 connections)", wrk, "/s"))
        rows.append(Row("size of the program, stripped", stripped_size(), "MB"))
        assert supervisor.stop() == 0

    return report(rows)


def report(rows: list[Row]) -> int:
    """Prints the table; 1 if a budget is exceeded."""
    width = max(len(row.name) for row in rows)
    print(f"\n{'':{width}}  {'measured':>11}  {'budget':>9}")
    for row in rows:
        budget = f"{row.budget:g} {row.unit}" if row.budget is not None else ""
        verdict = "  EXCEEDED" if row.exceeded else ""
        digits = 0 if row.value >= 1000 or row.unit == "" else 2
        print(f"{row.name:{width}}  {row.value:8.{digits}f} {row.unit:2}  {budget:>9}{verdict}")
    exceeded = [row.name for row in rows if row.exceeded]
    print()
    if exceeded:
        print(f"measure: over budget: {'; '.join(exceeded)}")
        return 1
    print("measure: all within budget")
    return 0


def stripped_size() -> float:
    copy = SANDBOX_ROOT / "stripped"
    subprocess.run(["strip", "-o", str(copy), str(binary("device-supervisor"))], check=True)
    return copy.stat().st_size / 1e6


if __name__ == "__main__":
    sys.exit(main())
