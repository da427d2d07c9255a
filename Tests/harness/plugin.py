"""A plugin's other end: the core's side of the plugin protocol, by hand, over pipes or a socket."""

from __future__ import annotations

import itertools
import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Any, Sequence

from .processes import Process
from .supervisor import binary
from .waiting import wait_until


class PluginFailure(Exception):
    """An error response."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.code: int = error["code"]
        self.message: str = error["message"]
        data = error.get("data") or {}
        self.reason: str | None = data.get("reason")
        self.retryable: bool = data.get("retryable", False)
        self.detail: str | None = data.get("detail")
        self.source: str | None = data.get("source")
        super().__init__(f"{self.code} {self.reason}: {self.message} ({self.source})")


class PluginGone(Exception):
    """The output ended while an answer was due."""


class Plugin:
    """One connection with a plugin. As a context manager it kills what is left of the process.

    `program` is a path, or the name of one of ours: Plugin("led", {"Path": "/sys/…"}). Shakes hands unless told otherwise.
    """

    def __init__(
        self,
        program: str | Path,
        settings: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        *,
        wrap: Sequence[str | Path] = (),
        arguments: Sequence[str | Path] = (),
        device_type: str = "test-board",
        handshake: bool = True,
        accepted: bool = True,
    ) -> None:
        """`wrap` goes before the program: setpriv, unshare, ip netns exec…"""
        path = binary(f"supervisor-plugin-{program}") if isinstance(program, str) and "/" not in program else program
        process = subprocess.Popen(
            [str(part) for part in (*wrap, path, *arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        assert process.stdin and process.stdout and process.stderr
        self._begin(process, process.stdin, process.stdout, process.stderr)
        try:
            if handshake:
                self.shake_hands(settings, device_type, accepted)
        except BaseException:
            self.kill()
            raise

    @classmethod
    def connect(
        cls,
        path: Path,
        settings: dict[str, str] | None = None,
        *,
        device_type: str = "test-board",
        handshake: bool = True,
        accepted: bool = True,
    ) -> "Plugin":
        """A plugin behind a unix socket, as a unit with Accept=yes is one. Its process and stderr are out of sight."""
        self = cls.__new__(cls)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(5)
        self._socket.connect(str(path))
        self._socket.settimeout(None)
        self._begin(None, self._socket.makefile("wb"), self._socket.makefile("rb"), None)
        if handshake:
            self.shake_hands(settings, device_type, accepted)
        return self

    def _begin(
        self,
        process: subprocess.Popen[bytes] | None,
        output: IO[bytes],
        source: IO[bytes],
        log: IO[bytes] | None,
    ) -> None:
        self.process = process
        self.output = output
        #: lines of stderr, with their prefixes
        self.stderr: list[str] = []
        #: every frame that came, in order
        self.frames: list[dict[str, Any]] = []
        #: lines of stdout that are no JSON objects
        self.garbage: list[bytes] = []
        #: what the plugin said about itself in the handshake
        self.about: dict[str, Any] = {}
        self._ids = itertools.count(1)
        self._notifications: queue.Queue[dict[str, Any]] = queue.Queue()
        self._arrived = threading.Condition()
        self._answers: dict[Any, dict[str, Any]] = {}
        self.ended = False
        threading.Thread(target=self._read, args=[source], daemon=True).start()
        if log:
            threading.Thread(target=self._read_log, args=[log], daemon=True).start()

    def _read(self, source: IO[bytes]) -> None:
        try:
            # A binary file's lines end with 0x0A and nothing else.
            for line in source:
                try:
                    frame = json.loads(line)
                    assert isinstance(frame, dict) and line.endswith(b"\n")
                except (ValueError, AssertionError):
                    self.garbage.append(line)
                    continue
                self.frames.append(frame)
                if "method" in frame:
                    self._notifications.put(frame)
                    continue
                with self._arrived:
                    self._answers[frame.get("id")] = frame
                    self._arrived.notify_all()
        except OSError:
            pass
        with self._arrived:
            self.ended = True
            self._arrived.notify_all()

    def _read_log(self, source: IO[bytes]) -> None:
        for line in source:
            self.stderr.append(line.decode(errors="replace").rstrip("\n"))

    # ---- frames

    def send_bytes(self, data: bytes) -> None:
        self.output.write(data)
        self.output.flush()

    def send(self, frame: Any) -> None:
        self.send_bytes(json.dumps(frame, ensure_ascii=False).encode() + b"\n")

    def notify(self, method: str, parameters: dict[str, Any] | None = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": parameters or {}})

    def begin(self, operation: str, parameters: dict[str, Any] | None = None) -> int:
        """Sends a call and returns its id; `answer` waits for what comes of it."""
        number = next(self._ids)
        self.send({"jsonrpc": "2.0", "id": number, "method": operation, "params": parameters or {}})
        return number

    def answer(self, number: Any, timeout: float = 15) -> dict[str, Any]:
        """The result; raises PluginFailure for an error, PluginGone at the end of the output, TimeoutError."""
        with self._arrived:
            self._arrived.wait_for(lambda: number in self._answers or self.ended, timeout)
            frame = self._answers.pop(number, None)
        if frame is None:
            said = "\n".join(self.stderr[-20:])
            raise (PluginGone if self.ended else TimeoutError)(f"no answer to {number}; stderr:\n{said}")
        assert frame.get("jsonrpc") == "2.0", frame
        if "error" in frame:
            raise PluginFailure(frame["error"])
        return frame["result"]

    def call(self, operation: str, parameters: dict[str, Any] | None = None, timeout: float = 15) -> dict[str, Any]:
        return self.answer(self.begin(operation, parameters), timeout)

    @property
    def answers(self) -> int:
        """How many answers have come, the handshake's among them."""
        return sum("method" not in frame for frame in self.frames)

    def cancel(self, number: int) -> None:
        self.notify("plugin.cancel", {"id": number})

    def notification(self, method: str, timeout: float = 15) -> dict[str, Any]:
        """The parameters of the next notification of that method; skips others."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                frame = self._notifications.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"no {method} within {timeout:g} s") from None
            if frame["method"] == method:
                return frame["params"]

    def shake_hands(
        self, settings: dict[str, str] | None = None, device_type: str = "test-board", accepted: bool = True
    ) -> dict[str, Any]:
        self.about = self.call(
            "plugin.initialize",
            {
                "protocolVersions": [1],
                "supervisor": {"name": "supervisor", "version": "0.0.0-test"},
                "deviceType": device_type,
                "settings": settings or {},
            },
        )
        self.notify("plugin.initialized", {"accepted": accepted} if accepted else {"accepted": False, "reason": "test"})
        return self.about

    # ---- the process

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def logged(self, text: str, deadline: float = 5) -> str:
        """Waits for a line of stderr that holds `text`, and returns it."""
        return wait_until(
            lambda: next((line for line in self.stderr if text in line), None), deadline, f"stderr says {text!r}"
        )

    def end_input(self) -> None:
        if self.process:
            self.output.close()
        else:
            self._socket.shutdown(socket.SHUT_WR)

    def wait(self, timeout: float = 7) -> int:
        """The exit status."""
        assert self.process
        return self.process.wait(timeout)

    def close(self, timeout: float = 7) -> int:
        """Ends the input, as the core ends a plugin, and returns the exit status; 0 for one behind a socket."""
        self.end_input()
        if self.process:
            return self.wait(timeout)
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.ended, timeout), "it did not close the socket"
        self._socket.close()
        return 0

    def send_signal(self, number: int) -> None:
        assert self.process
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9, or the end of the connection."""
        if not self.process:
            self._socket.close()
        elif self.running:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> "Plugin":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self.stderr:
            print("--- stderr of the plugin\n" + "\n".join(self.stderr[-40:]))


def behind_socket(program: str | Path, path: Path, log: Path, environment: dict[str, str] | None = None) -> Process:
    """Stands for a socket unit with Accept=yes: a process of the plugin for every connection to `path`."""
    if isinstance(program, str) and "/" not in program:
        program = binary(f"supervisor-plugin-{program}")
    variables = [f"--setenv={name}={value}" for name, value in (environment or {}).items()]
    process = Process(["systemd-socket-activate", "--accept", "--inetd", f"--listen={path}", *variables, program], log)
    wait_until(path.exists, 5, f"{path} is there")
    return process
