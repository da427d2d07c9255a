"""Processes that the suite starts; the sandbox ends what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Sequence

from .waiting import wait_until


class Process:
    """A process with its output in a file."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        environment: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.log_file = log
        self.command = [str(part) for part in command]
        output = open(log, "ab")
        try:
            self.popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                cwd=cwd,
            )
        finally:
            output.close()

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.splitlines()[-lines:])

    def send(self, number: int) -> None:
        if self.running:
            self.popen.send_signal(number)

    def stop(self, timeout: float = 15, number: int = signal.SIGTERM) -> int:
        """Asks it to end, and returns its status; one that does not obey in time is killed and is a failure."""
        self.send(number)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command[0]} did not end within {timeout:g} s of the signal:\n{self.tail()}")

    def freeze(self) -> None:
        """SIGSTOP, and wait until every thread has stopped, which kill(2) does not."""
        self.send(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")

        def frozen() -> bool:
            return all("\nState:\tT" in (task / "status").read_text() for task in tasks.iterdir())

        wait_until(frozen, 10, f"{self.command[0]} has stopped")

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        if self.running:
            self.popen.kill()
        self.popen.wait()


def run(command: Sequence[str | Path], timeout: float = 60, **options: object) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; its output is text. Does not raise for a status."""
    return subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=timeout,
        **options,  # type: ignore[call-overload]
    )


def must(command: Sequence[str | Path], timeout: float = 60, **options: object) -> str:
    """Runs a command that has to succeed, and returns what it said."""
    done = run(command, timeout, **options)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr or done.stdout}"
    return done.stdout
