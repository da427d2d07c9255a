"""Where the time of a request goes: samples of the release build with its symbols, sorted by what they were at.

A sample within the kernel counts for the system call that it is in; one in the program for the module of the function
that runs, memory and reference counting apart, whoever asked for them. Needs perf; without it only the kernel's own
split of user and system time is left.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, Iterator

from device import device
from generators import PINNED
from harness import target
from harness.paths import SANDBOX_ROOT
from harness.processes import Process, run as run_command
from servers import ENDPOINTS, Ours
from side_by_side import say

#: Functions by name, before their module is looked at; then modules by name. The first that fits counts.
FUNCTIONS = [
    ("reference counting", r"swift_(retain|release|bridgeObject|unknownObject|weak|unowned|isUniquely|arrayDestroy)"),
    ("reference counting", r"swift_\w*(Retain|Release)|RefCount|swift_(begin|end)Access"),
    ("memory", r"swift_(slow|alloc|dealloc|initStackObject|task_(de)?alloc)|malloc|calloc|realloc|\bfree\b|cfree|_int_free"),
    ("memory", r"StackAllocator|unlink_chunk|tcache"),
    ("HTTP parser", r"llhttp"),
    ("tasks", r"swift_(task|job|continuation|taskGroup|asyncLet|get_async|defaultActor)|AsyncTask|swift_concurrency"),
]
MODULES = [
    ("HTTP parser", r"NIOHTTP1|CNIOLLHTTP"),
    ("NIO", r"NIOCore|NIOPosix|CNIO|_NIO|NIOConcurrencyHelpers|DequeModule|Atomics"),
    ("JSON", r"\$s4JSON|\bJSON\.|SupervisorPluginAPI"),
    ("routing, key, answer", r"SupervisorHTTP"),
    ("state and locks", r"SupervisorCore|LinuxSupport|CLinux"),
    ("worker thread", r"SupervisorEventLoop"),
]
CALLS = {
    "epoll_wait": "kernel: wait for sockets",
    "epoll_pwait": "kernel: wait for sockets",
    "epoll_ctl": "kernel: wait for sockets",
    "read": "kernel: read",
    "recv": "kernel: read",
    "write": "kernel: write",
    "writev": "kernel: write",
    "timerfd_settime": "kernel: timer",
    "syscall": "kernel: wake a thread",
    "pthread_cond_signal": "kernel: wake a thread",
    "pthread_cond_wait": "kernel: wake a thread",
    "pthread_mutex_lock": "kernel: wake a thread",
    "pthread_mutex_unlock": "kernel: wake a thread",
    "eventfd_write": "kernel: wake a thread",
    "fstatat64": "kernel: look at files",
    "lstat": "kernel: look at files",
    "lstat64": "kernel: look at files",
    "stat": "kernel: look at files",
}


def stacks(text: str) -> Iterator[list[tuple[str, str]]]:
    """The samples of `perf script`: function and object of every frame, the innermost first."""
    frames: list[tuple[str, str]] = []
    for line in [*text.splitlines(), ""]:
        found = re.match(r"\s+[0-9a-f]+ (.*) \((.*)\)$", line)
        if found:
            frames.append((re.sub(r"\+0x[0-9a-f]+$", "", found[1]), found[2]))
        elif not line.strip() and frames:
            yield frames
            frames = []


def is_kernel(dso: str) -> bool:
    return dso.startswith("[kernel") or dso.endswith(".ko")


def share_of(frames: list[tuple[str, str]]) -> str:
    function, dso = frames[0]
    if is_kernel(dso):
        if any(name.startswith("exit_to_user_mode_loop") for name, _ in frames):
            return "kernel: gave way to another process"
        # The function of the C library that made the system call.
        caller = next((name for name, object in frames if not is_kernel(object)), "")
        return CALLS.get(re.sub(r"^(_|GI_|libc_)+|@.*$", "", caller), "kernel: other")
    for category, pattern in FUNCTIONS:
        if re.search(pattern, function):
            return category
    # $s14SupervisorHTTP...: the module comes first in a mangled name.
    module = re.match(r"\$[sS](\d+)(.*)", function)
    if module:
        name = module[2][: int(module[1])]
        for category, pattern in MODULES:
            if re.match(pattern, name):
                return category
    if "libswift_Concurrency" in dso:
        return "tasks"
    for category, pattern in MODULES:
        if re.match(pattern, function):
            return category
    if "libc.so" in dso or "libc-" in dso or "[vdso]" in dso or "libpthread" in dso:
        return "C library"
    return "Swift's library"


def profile(ours: Ours, endpoint: str, seconds: int) -> dict[str, Any]:
    """Under full load at 16 connections: the kernel's split of the time, and the shares in per cent."""
    load = Process(
        [*PINNED, "wrk", "-t1", "-c16", f"-d{seconds + 2}s", ours.url(endpoint)], SANDBOX_ROOT / f"wrk-{endpoint}.log"
    )
    ticks = lambda: [int(field) for field in Path(f"/proc/{ours.pids[0]}/stat").read_text().split()[13:15]]  # noqa: E731
    before = ticks()
    file = SANDBOX_ROOT / f"{endpoint}.perf"
    recorded = run_command(
        ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-g", "-p", str(ours.pids[0]), "-o", file]
        + ["--", "sleep", str(seconds)],
        timeout=seconds + 60,
    )
    after = ticks()
    load.popen.wait(30)
    user, system = (after[index] - before[index] for index in (0, 1))
    result: dict[str, Any] = {"user": user, "system": system}
    if recorded.returncode != 0 or not file.exists():
        say(f"perf record: {recorded.stderr.strip()[:300]}")
        return result
    script = subprocess.run(
        ["perf", "script", "-i", file, "-F", "ip,sym,dso"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300, check=True,
    )  # fmt: skip
    shares: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for frames in stacks(script.stdout.decode(errors="replace")):
        share = share_of(frames)
        shares[share] += 1
        functions[f"{share}: {frames[0][0]} ({Path(frames[0][1]).name})"] += 1
    total = sum(shares.values())
    result["samples"] = total
    result["shares"] = {name: count * 100 / total for name, count in shares.most_common()} if total else {}
    result["functions"] = {name: count * 100 / total for name, count in functions.most_common(60)}
    return result


def run(quick: bool) -> dict[str, Any]:
    os.environ["SUPERVISOR_BIN_DIR"] = os.environ["BENCH_PROFILED"]
    with device() as supervisor:
        supervisor.write_target(target.app())
        supervisor.start()
        supervisor.wait_settled(release="a")
        folder = SANDBOX_ROOT / "requests"
        folder.mkdir()
        ours = Ours(supervisor, folder)
        result = {}
        for endpoint, path in ENDPOINTS.items():
            say(f"where the time goes, GET {path}")
            result[endpoint] = profile(ours, endpoint, 3 if quick else 10)
        return result
