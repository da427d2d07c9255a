"""What every part uses: errors, folders, locks, and commands."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
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


def run(command: Sequence[str | Path], what: str, **options: object) -> str:
    """Runs a command to its end and returns its output. Fails with `what` and the last line that it said."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            **options,  # type: ignore[call-overload]
        )
    except FileNotFoundError as error:
        raise Failure(f"{what}: there is no program {error.filename}") from None
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        telling = [line for line in lines if line.lower().startswith(("e:", "dpkg: error", "error", "fail"))]
        said = (telling[:1] or lines or [f"exit status {done.returncode}"])[-1].strip()
        raise Failure(f"{what}: {said}")
    return done.stdout


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
