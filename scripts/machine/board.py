"""The board: the same host on a machine of its own, in QEMU with software emulation."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Iterator, NoReturn

from machine import layers
from machine.common import Failure, run
from machine.machine import API_KEY, JOURNAL_FIELDS, Boot, Machine, forget_disk_on_other_layers, namespace
from machine.network import Outside

#: Serial lines with an agent at the other end (image/libexec/agent): so many commands can run at once.
LINES = 2


class Board(Machine):
    kind = "board"
    default_board = "qemu"
    boot_seconds = 420.0

    def build(self, board: str | None) -> list[Path]:
        base = layers.base()
        host = layers.host(board or self.default_board, base)
        kernel = layers.kernel()
        return [layers.disk([kernel / "tree", host / "tree", base]), kernel, host]

    def prepare(self, board: str, outside: Outside) -> dict[str, object]:
        if not Path("/dev/net/tun").exists():
            raise Failure("there is no /dev/net/tun on this machine, and the board's network needs it")
        disk, kernel, host = self.build(board)
        used = [str(disk), str(kernel)]
        forget_disk_on_other_layers(self, used, ["disk.qcow2"])
        own = self.folder / "disk.qcow2"
        if not own.exists():
            backing = ["-b", disk / "disk.raw", "-F", "raw"]
            run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, own], "the board gets no disk")
        return {"layers": used, "packages": (host / "packages").read_text().split()}

    def boot(self) -> Boot:
        state = self.read()
        disk, kernel = (Path(layer) for layer in state["layers"])
        tap = state["bridge"] + "t"
        subprocess.run(["ip", "link", "delete", tap], stderr=subprocess.DEVNULL)
        run(["ip", "tuntap", "add", "mode", "tap", "name", tap], "the board gets no interface")
        run(["ip", "link", "set", tap, "master", state["bridge"], "up"], "the board's interface does not come up")
        words = [
            "console=ttyS0 quiet loglevel=4 panic=-1 net.ifnames=0",
            "systemd.show_status=0",
            f"systemd.machine_id={self.identity}",
            f"machine.address={state['address']}/24 machine.address6={state['address6']}/64",
        ]
        command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi,tb-size=256", "-machine", "q35", "-cpu", "max",
            "-smp", "2", "-m", "768", "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", str(kernel / "vmlinuz"), "-initrd", str(kernel / "initrd"), "-append", " ".join(words),
            "-drive", "file=disk.qcow2,format=qcow2,if=virtio,cache=writeback",
            "-netdev", f"tap,id=outside,ifname={tap},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=outside,mac={self.mac}",
            "-serial", "file:console.boot",
            "-qmp", "unix:qmp.sock,server=on,wait=off",
        ]  # fmt: skip
        for line in range(1, LINES + 1):
            command += ["-serial", f"unix:line{line}.sock,server=on,wait=off"]
        self._keep_console()
        with open(self.folder / "qemu.log", "ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return QemuBoot(self, process)

    @property
    def mac(self) -> str:
        return "52:54:00:" + ":".join(self.identity[i : i + 2] for i in (0, 2, 4))

    def _keep_console(self) -> None:
        """QEMU empties the console's file at every boot."""
        with contextlib.suppress(FileNotFoundError), open(self.folder / "console.log", "ab") as all:
            all.write((self.folder / "console.boot").read_bytes())

    def clean(self, state: dict[str, Any]) -> None:
        if state.get("netns") == namespace("net"):
            subprocess.run(["ip", "link", "delete", state["bridge"] + "t"], stderr=subprocess.DEVNULL)
        super().clean(state)
        for left in self.folder.glob("*.sock"):
            left.unlink()

    # ---- commands by serial line

    @contextlib.contextmanager
    def line(self, seconds: float) -> Iterator[Line]:
        """A line that no other process uses, with an agent that listens. Fails after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            for number in range(1, LINES + 1):
                lock = open(self.folder / f"line{number}.lock", "a")
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    lock.close()
                    continue
                with lock:
                    line = Line(self.folder, number)
                    try:
                        line.open(end)
                        yield line
                    finally:
                        line.close()
                return
            if time.monotonic() >= end:
                raise Failure(f"all lines to {self.name} are busy", 69)
            time.sleep(0.05)

    def execute(self, command: list[str]) -> NoReturn:
        self.must_run()
        with self.line(30) as line:
            status, out, err = line.run(shlex.join(command), None)
        sys.stdout.buffer.write(out)
        sys.stdout.flush()
        sys.stderr.buffer.write(err)
        sys.exit(status)

    def output(self, command: list[str], input: str = "", seconds: float = 30) -> tuple[int, str]:
        script = shlex.join(command)
        if input:
            script = f"base64 -d <<<{base64.b64encode(input.encode()).decode()} | {script}"
        try:
            with self.line(seconds) as line:
                status, out, _ = line.run(script, seconds)
        except (Failure, OSError):
            return 255, ""
        return status, out.decode(errors="replace")

    def api_key(self) -> str | None:
        """As it was when the board had booted, and again whenever the board is asked."""
        if not self.is_kept() or self.read().get("state") != "running":
            return None
        status, key = self.output(["cat", f"/{API_KEY}"], seconds=10)
        return key.strip() or None if status == 0 else None

    def logs(self, follow: bool) -> NoReturn:
        self.must_run()
        cursor = ""
        command = "journalctl --no-pager -o short-precise --show-cursor"
        while True:
            with self.line(60) as line:
                after = f" --after-cursor={shlex.quote(cursor)}" if cursor else " -n 200" if follow else ""
                _, out, _ = line.run(command + after, None)
            text, _, last = out.decode(errors="replace").rpartition("-- cursor: ")
            cursor = last.strip() or cursor
            print(text.removeprefix("-- No entries --\n"), end="", flush=True)
            if not follow:
                sys.exit(0)
            time.sleep(1)

    def records(self) -> Iterator[dict[str, Any]]:
        command = f"journalctl -a -o json --output-fields={','.join(JOURNAL_FIELDS)}"
        cursor = ""
        while True:
            # The first answer is only where it begins.
            after = f" --after-cursor={shlex.quote(cursor)}" if cursor else " -n 1"
            status, out = self.output(["bash", "-c", command + after], seconds=60)
            found = [json.loads(line) for line in out.splitlines() if line.startswith("{")] if status == 0 else []
            if cursor:
                yield from found
            if found:
                cursor = found[-1]["__CURSOR"]
            time.sleep(1)


class Line:
    """One serial line of the board."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.name = f"line{number}.sock"
        self.socket = socket.socket(socket.AF_UNIX)
        self.pending = b""

    def open(self, end: float) -> None:
        while True:
            try:
                # The folder's own path may be too long for a socket's address.
                folder = os.open(self.folder, os.O_PATH)
                try:
                    self.socket.connect(f"/proc/self/fd/{folder}/{self.name}")
                finally:
                    os.close(folder)
                break
            except OSError:
                if time.monotonic() >= end:
                    raise Failure("the board has no serial line", 69) from None
                time.sleep(0.1)
        # What is sent before an agent listens is lost or echoed; so ask until it answers.
        while time.monotonic() < end:
            self.socket.sendall(b"?\n")
            if self._read_line(min(end, time.monotonic() + 1)) == b"@@ready":
                # Drop the answers to earlier questions.
                while self._read_line(time.monotonic() + 0.05) is not None:
                    pass
                return
        raise Failure("no agent answers on the board's serial line", 69)

    def run(self, script: str, seconds: float | None) -> tuple[int, bytes, bytes]:
        end = None if seconds is None else time.monotonic() + seconds
        self.socket.sendall(base64.b64encode(script.encode()) + b"\n")
        out = err = b""
        while True:
            line = self._read_line(end)
            if line is None:
                raise Failure("the board does not answer any more", 69)
            kind, _, value = line.partition(b" ")
            if kind == b"@@out":
                out = base64.b64decode(value)
            elif kind == b"@@err":
                err = base64.b64decode(value)
            elif kind == b"@@end":
                return int(value), out, err

    def _read_line(self, end: float | None) -> bytes | None:
        """The next line, without its end; None when there is none in time, or the board is gone."""
        while b"\n" not in self.pending:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except (TimeoutError, OSError):
                return None
            if not data:
                return None
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return line.strip(b"\r")

    def close(self) -> None:
        self.socket.close()


class QemuBoot(Boot):
    def __init__(self, board: Board, process: subprocess.Popen[bytes]) -> None:
        self.board = board
        self.process = process
        self.leader = process.pid
        self.reason = ""
        self.events = threading.Thread(target=self._listen, daemon=True)
        self.events.start()

    def _listen(self) -> None:
        """QEMU's exit status is the same for a reboot and a power-off: only its last event distinguishes them."""
        folder = os.open(self.board.folder, os.O_PATH)
        with socket.socket(socket.AF_UNIX) as connection:
            while self.process.poll() is None:
                try:
                    connection.connect(f"/proc/self/fd/{folder}/qmp.sock")
                    break
                except OSError:
                    time.sleep(0.02)
            os.close(folder)
            try:
                with connection.makefile("rw") as stream:
                    stream.readline()
                    stream.write('{"execute":"qmp_capabilities"}\n')
                    stream.flush()
                    for line in stream:
                        event = json.loads(line)
                        if event.get("event") == "SHUTDOWN":
                            self.reason = event["data"]["reason"]
            except (OSError, ValueError):
                pass

    def watch(self, on_running: Any) -> str:
        def report() -> None:
            while self.process.poll() is None:
                _, answer = self.board.output(["systemctl", "is-system-running", "--wait"], seconds=60)
                if answer.strip() in ("running", "degraded"):
                    return on_running()
                time.sleep(0.2)

        reporter = threading.Thread(target=report, daemon=True)
        reporter.start()
        status = self.process.wait()
        self.events.join(5)
        reporter.join(5)
        if self.reason == "guest-reset":
            return "reboot"
        if status == 0:
            return "off"
        log = (self.board.folder / "qemu.log").read_text(errors="replace").strip().splitlines()
        return f"qemu ended with {status}: {log[-1] if log else 'it said nothing'}"

    def end(self, kindly: bool) -> None:
        if self.process.poll() is not None:
            return
        if not kindly:
            self.process.kill()
            return

        def power_off() -> None:
            self.board.output(["systemctl", "poweroff", "--no-block"], seconds=20)
            time.sleep(40)
            if self.process.poll() is None:
                self.process.kill()

        threading.Thread(target=power_off, daemon=True).start()
