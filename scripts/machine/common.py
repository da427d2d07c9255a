"""What every part uses: errors, folders, locks, and commands."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, Sequence, TypeVar

REPOSITORY = Path(__file__).resolve().parent.parent.parent
#: Layers that are slow to make and the same for every checkout.
CACHE = Path(os.environ.get("SUPERVISOR_MACHINE_CACHE", "/var/tmp/device-supervisor"))
#: Where the packages are.
PACKAGES = Path(os.environ.get("SUPERVISOR_DEB_DIR", REPOSITORY / ".build/deb"))

T = TypeVar("T")


class Failure(Exception):
    """Something that the person who called must know; its text is one clear line."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


#: What our lines begin with: the name of the script.
program = "machine"


def say(message: str) -> None:
    print(f"{program}: {message}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """Shows that something long is being done, and for how long already: on a terminal one line that changes every
    second, elsewhere a line every half minute. The block may call what it gets with the name of the step it is at.
    """
    begin = time.monotonic()
    step = ""
    ended = threading.Event()
    on_terminal = sys.stderr.isatty()

    def line() -> str:
        return f"{program}: {what}: {time.monotonic() - begin:.0f} s" + (f", {step}" if step else "")

    def show() -> None:
        while not ended.wait(1 if on_terminal else 30):
            if on_terminal:
                width = shutil.get_terminal_size().columns - 1
                print(f"\r\x1b[K{line()[:width]}", end="", file=sys.stderr, flush=True)
            else:
                print(line(), file=sys.stderr, flush=True)

    def enter(name: str) -> None:
        nonlocal step
        step = name

    if on_terminal:
        print(f"{program}: {what}", end="", file=sys.stderr, flush=True)
    else:
        say(what)
    shower = threading.Thread(target=show, daemon=True)
    shower.start()
    try:
        yield enter
        step = ""
    except BaseException:
        step = "not done"
        raise
    finally:
        ended.set()
        shower.join()
        print(f"\r\x1b[K{line()}" if on_terminal else line(), file=sys.stderr, flush=True)


def run(command: Sequence[str | Path], what: str, heard: Callable[[str], None] | None = None) -> str:
    """Runs a command to its end and returns its output; `heard` gets each line as it comes.

    Fails with `what` and the most telling line of the output.
    """
    lines: list[str] = []
    try:
        with subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line)
                    if heard is not None and line.strip():
                        heard(line.strip())
            except BaseException:
                process.kill()
                raise
    except FileNotFoundError as error:
        raise Failure(f"{what}: there is no program {error.filename}") from None
    if process.returncode != 0:
        said = [line.strip() for line in lines if line.strip()]
        telling = [line for line in said if line.lower().startswith(("e:", "dpkg: error", "error", "fail"))]
        raise Failure(f"{what}: {(telling[:1] or said or [f'exit status {process.returncode}'])[-1]}")
    return "".join(lines)


#: A world whose processes and mounts end with the command, and the command with this process.
CONFINED = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
)


@contextlib.contextmanager
def locked(path: Path, shared: bool = False) -> Iterator[None]:
    """Holds the lock file for as long as the block runs; waits for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def digest(*parts: bytes | str) -> str:
    """Twelve characters that are the same for the same parts only."""
    sum = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sum.update(len(data).to_bytes(8, "big") + data)
    return sum.hexdigest()[:12]


def wait_until(predicate: Callable[[], T], seconds: float, interval: float = 0.05) -> T | None:
    """Asks until the answer is true or the time is over; returns the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = predicate()
        if answer or time.monotonic() >= end:
            return answer
        time.sleep(interval)
