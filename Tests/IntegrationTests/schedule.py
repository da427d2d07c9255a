"""The whole black-box suite: its files side by side, each in a sandbox of its own, then the tests that are to run alone.

scripts/integration-test starts it. Most of what a test does is wait, so more run at once than there are processors. What
takes longest begins first, divided into parts, so that nothing long is left for the end. A line reports each file when
it ends; what a test that failed has printed comes at once; the slowest files and tests come last. Status 1 if a test has
failed.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parents[1]
#: About how many seconds the files take that take long; others count as a few. Only the order and the parts depend on it.
SECONDS = {
    "apps": 330,
    "roll_back": 310,
    "plugin_check": 160,
    "lock": 150,
    "plugin_storage": 140,
    "events": 130,
    "hand_over": 110,
    "engine_away": 100,
    "update": 100,
    "registry": 95,
    "power": 90,
    "disk": 90,
    "plugin_host": 80,
    "bad_input": 50,
    "kill": 50,
    "state": 45,
    "from_inside": 45,
    "plugin_redsocks": 40,
}
OTHERS = 25
#: A file that takes longer is divided into parts, none of which is expected to take longer.
PART = 170
#: A part that takes longer hangs.
LIMIT = 1200
#: How many of the slowest are named at the end.
SLOWEST_FILES, SLOWEST_TESTS = 10, 15


@dataclass
class Part:
    """A file of tests, or one of several parts of it."""

    name: str
    number: int
    count: int
    arguments: list[str]
    status: int | None = None
    #: from its start to its end, the sandbox included
    seconds: float = 0
    #: of all processes in the sandbox
    processor: float = 0
    output: str = ""
    #: (seconds, name) of each test, its fixtures included
    tests: list[tuple[float, str]] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        return self.name if self.count == 1 else f"{self.name}-{self.number}"

    @property
    def expected(self) -> float:
        return SECONDS.get(self.name.removeprefix("test_"), OTHERS) / self.count

    def run(self, results: Path) -> None:
        report, log = results / f"{self.stem}.xml", results / f"{self.stem}.log"
        command = [
            str(REPOSITORY / "scripts/sandbox"), "/usr/bin/python3", "-m", "pytest",
            "--rootdir", str(TESTS), "-c", str(TESTS / "pytest.ini"),
            f"--junitxml={report}", "-o", "junit_duration_report=total", *self.arguments,
        ]  # fmt: skip
        begin = time.monotonic()
        with log.open("wb") as output:
            # A session of its own: Ctrl-C is for this program, which ends all of them.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            _running.add(process.pid)
            watchdog = threading.Timer(LIMIT, lambda: os.killpg(process.pid, signal.SIGTERM))
            watchdog.start()
            _, status, usage = os.wait4(process.pid, 0)
            watchdog.cancel()
            _running.discard(process.pid)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds = time.monotonic() - begin
        self.processor = usage.ru_utime + usage.ru_stime
        self.output = log.read_text(errors="replace")
        if self.seconds >= LIMIT:
            self.output += f"\n{self.stem} was ended after {LIMIT} s\n"
        if report.exists():
            self._read(report)
        # Last: it shows that the rest is there.
        self.status = process.returncode

    def _read(self, report: Path) -> None:
        cases = list(ElementTree.parse(report).iter("testcase"))
        kinds = {"failure": "failed", "error": "error", "skipped": "skipped"}
        for case in cases:
            kind = next((kinds[child.tag] for child in case if child.tag in kinds), "passed")
            self.outcomes[kind] = self.outcomes.get(kind, 0) + 1
            file = (case.get("classname") or "").rpartition(".")[2]
            self.tests.append((float(case.get("time", "0")), f"{file}::{case.get('name')}"))

    @property
    def trouble(self) -> str:
        """What pytest printed of the tests that failed, and after it; everything, where it came to no such section."""
        found = re.search(r"^=+ (FAILURES|ERRORS) =+$", self.output, re.MULTILINE)
        return self.output[found.start() :] if found else self.output

    def section(self, title: str) -> list[str]:
        """The lines of the section of that title in what pytest printed."""
        found = re.search(rf"^=+ {title} =+\n(.*?)^=+ ", self.output, re.DOTALL | re.MULTILINE)
        return found[1].rstrip().splitlines() if found else []


@dataclass
class File:
    """A file of tests, all of its parts together."""

    name: str
    parts: list[Part]

    @property
    def ended(self) -> bool:
        return all(part.status is not None for part in self.parts)

    @property
    def ok(self) -> bool:
        # 5: no test is left after those that run alone; of a file of nothing else.
        return all(part.status in (0, 5) for part in self.parts)

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)

    @property
    def summary(self) -> str:
        counts: dict[str, int] = {}
        for part in self.parts:
            for kind, number in part.outcomes.items():
                counts[kind] = counts.get(kind, 0) + number
        said = ", ".join(f"{counts[kind]} {kind}" for kind in ("failed", "error", "skipped", "passed") if kind in counts)
        where = f" in {len(self.parts)} sandboxes" if len(self.parts) > 1 else ""
        return f"{self.name:24} {'ok' if self.ok else 'FAILED':6} {said or 'no tests'} in {self.seconds:.1f} s{where}"


#: Process groups of the sandboxes that run.
_running: set[int] = set()


def files() -> list[File]:
    found = []
    for path in sorted(TESTS.glob("test_*.py")):
        name = path.stem
        count = math.ceil(SECONDS.get(name.removeprefix("test_"), OTHERS) / PART)
        parts = [
            Part(name, number, count, ["-m", "not alone", f"--part={number}/{count}", str(path)])
            for number in range(1, count + 1)
        ]
        found.append(File(name, parts))
    return found


def show(file: File, number: int, of: int) -> None:
    print(f"[{number:2}/{of}] {file.summary}", flush=True)
    for part in file.parts:
        if part.status not in (0, 5):
            print(f"\n{part.trouble}\n--- the above: {part.stem}, status {part.status}\n", flush=True)


def report(everything: list[File], jobs: int, begin: float) -> None:
    parts = [part for file in everything for part in file.parts]
    measured = [line for part in parts for line in part.section("measured")]
    if measured:
        print("\nmeasured:", *measured, sep="\n   ")
    skipped = [line for part in parts for line in part.output.splitlines() if line.startswith("SKIPPED [")]
    if skipped:
        print("\nskipped:", *skipped, sep="\n   ")
    print("\nslowest files, with the processor time of everything in their sandboxes:")
    for file in sorted(everything, key=lambda file: -file.seconds)[:SLOWEST_FILES]:
        print(f"   {file.seconds:6.1f} s  {sum(part.processor for part in file.parts):5.1f} s  {file.name}")
    print("\nslowest tests:")
    for seconds, name in sorted((test for part in parts for test in part.tests), reverse=True)[:SLOWEST_TESTS]:
        print(f"   {seconds:6.1f} s  {name}")
    total, processor = sum(file.seconds for file in everything), sum(part.processor for part in parts)
    print(
        f"\nintegration: {len(everything) - 1} files of tests in {time.monotonic() - begin:.0f} s, {jobs} at once; "
        f"one after the other {total:.0f} s, processor time {processor:.0f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, required=True, help="how many sandboxes at once")
    parser.add_argument("--results", type=Path, required=True, help="the folder for what each prints")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.results.mkdir(parents=True, exist_ok=True)
    for former in options.results.glob("*.*"):
        former.unlink()

    begin = time.monotonic()
    everything = files()
    owners = {id(part): file for file in everything for part in file.parts}
    queue = sorted((part for file in everything for part in file.parts), key=lambda part: -part.expected)
    alone = File("alone", [Part("alone", 1, 1, ["-m", "alone", str(TESTS)])])
    of, ended = len(everything) + 1, 0
    pool = ThreadPoolExecutor(options.jobs)
    try:
        futures = {pool.submit(part.run, options.results): part for part in queue}
        for future in as_completed(futures):
            future.result()
            file = owners[id(futures[future])]
            if file.ended:
                ended += 1
                show(file, ended, of)
        alone.parts[0].run(options.results)
        show(alone, of, of)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for group in list(_running):
            os.killpg(group, signal.SIGTERM)
    everything.append(alone)
    report(everything, options.jobs, begin)
    failed = [file.name for file in everything if not file.ok]
    if failed:
        print(f"integration: FAILED: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
