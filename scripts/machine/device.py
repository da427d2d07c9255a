"""The virtual device: a Debian host in systemd-nspawn, booted by its own systemd."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Iterator, NoReturn

from machine import cgroups, layers
from machine.common import CONFINED, Failure, wait_until
from machine.machine import API_KEY, JOURNAL_FIELDS, Boot, Machine, children, forget_disk_on_other_layers
from machine.network import Outside

#: What systemd-nspawn ends with when the host inside reboots.
REBOOT = 133
ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"]

# In mount and process namespaces of its own: no other process sees what it mounts, and the mounts end with it.
SCRIPT = r"""
set -eu
folder=$1 lower=$2; shift 2
while [ "$1" != -- ]; do echo 0 >"$1"; shift; done; shift
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p "$folder/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
exec "$@"
"""


class Device(Machine):
    kind = "device"
    boot_seconds = 60.0

    @property
    def cgroup(self) -> str:
        return f"supervisor-device-{self.name}-{self.short_identity}"

    def build(self, board: str | None) -> list[Path]:
        base = layers.base()
        return [layers.host(board or self.default_board, base) / "tree", base]

    def prepare(self, board: str, outside: Outside) -> dict[str, object]:
        built = self.build(board)
        used = [str(layer) for layer in built]
        forget_disk_on_other_layers(self, used, ["upper", "work", "docker", "journal"])
        for name in ("upper", "work", "docker", "journal"):
            (self.folder / name).mkdir(exist_ok=True)
        etc = self.folder / "upper/etc"
        if not etc.exists():
            etc.mkdir()
            (etc / "hostname").write_text(self.name + "\n")
            (etc / "machine-id").write_text(self.identity + "\n")
        (etc / "machine").mkdir(exist_ok=True)
        (etc / "machine/network").write_text(f"ADDRESS={outside.address}/24\nADDRESS6={outside.address6}/64\n")
        return {"layers": used, "packages": (built[0].parent / "packages").read_text().split(), "cgroup": self.cgroup}

    def boot(self) -> Boot:
        state = self.read()
        files = cgroups.create(self.cgroup)
        nspawn = [
            "systemd-nspawn", "--quiet", "--directory", str(self.folder / "root"), "--boot",
            "--register=no", "--keep-unit", "--console=pipe", "--resolv-conf=off", "--timezone=off",
            f"--machine={state['bridge']}", f"--hostname={self.name}", f"--uuid={self.identity}",
            f"--network-bridge={state['bridge']}",
            # What a host has and docker needs.
            "--capability=all", "--system-call-filter=@keyring bpf",
            # An overlay does not carry docker's own; the journal is read from outside when the device is off.
            f"--bind={self.folder / 'docker'}:/var/lib/docker", f"--bind={self.folder / 'journal'}:/var/log/journal",
        ]  # fmt: skip
        lower = ":".join(state["layers"])
        with open(self.folder / "console.log", "ab") as console:
            process = subprocess.Popen(
                [*CONFINED, "/bin/bash", "-c", SCRIPT, "-", self.folder, lower, *files, "--", *nspawn],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        boot = NspawnBoot(self, process)
        if not wait_until(lambda: boot.find_leader() or process.poll() is not None, 20, 0.01) or not boot.leader:
            boot.end(kindly=False)
            raise Failure(f"systemd-nspawn does not start: {self.last_console_line()}")
        return boot

    def last_console_line(self) -> str:
        text = (self.folder / "console.log").read_text(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def clean(self, state: dict[str, Any]) -> None:
        super().clean(state)
        cgroups.remove(self.cgroup)

    def api_key(self) -> str | None:
        try:
            return (self.folder / "upper" / API_KEY).read_text().strip() or None
        except OSError:
            return None

    def enter(self) -> list[str]:
        leader = self.must_run().get("leader")
        if not leader or not Path(f"/proc/{leader}").exists():
            raise Failure(f"{self.name} is starting; try again", 69)
        # Process and control group namespaces are PID 1's own: all of it is as it would be in a shell on the device.
        return ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-C", "--", "env", "-i", *ENVIRONMENT]

    def execute(self, command: list[str]) -> NoReturn:
        term = [f"TERM={os.environ['TERM']}"] if "TERM" in os.environ else []
        arguments = [*self.enter(), *term, *command]
        sys.stdout.flush()
        os.execvp(arguments[0], arguments)

    def output(self, command: list[str], input: str = "", seconds: float = 30) -> tuple[int, str]:
        try:
            done = subprocess.run(
                [*self.enter(), *command],
                input=input,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
                timeout=seconds,
            )
        except (Failure, subprocess.TimeoutExpired, OSError):
            return 255, ""
        return done.returncode, done.stdout

    @property
    def journal(self) -> list[str]:
        """Options of journalctl for it. Without --merge, `-f` shows nothing more after a reboot."""
        return ["--merge", "-D", str(self.folder / "journal")]

    def logs(self, follow: bool) -> NoReturn:
        command = ["journalctl", "--no-pager", "-o", "short-precise", *self.journal]
        if not self.folder.exists():
            raise Failure(f"there is no {self.name}", 69)
        os.execvp(command[0], command + (["-f", "-n", "200"] if follow else []))

    def records(self) -> Iterator[dict[str, Any]]:
        fields = f"--output-fields={','.join(JOURNAL_FIELDS)}"
        command = ["journalctl", "-f", "-n", "0", "-a", "-o", "json", fields, *self.journal]
        # In a session of its own it outlives a Ctrl-C, and shows how the supervisor ends.
        with subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                yield json.loads(line)


class NspawnBoot(Boot):
    def __init__(self, device: Device, process: subprocess.Popen[bytes]) -> None:
        self.device = device
        self.process = process
        self.leader = 0
        self.nspawn = 0

    def find_leader(self) -> int:
        """The host's PID 1, as it is called from here, once it is systemd's own program."""
        for self.nspawn in children(self.process.pid):
            for child in children(self.nspawn):
                try:
                    if os.readlink(f"/proc/{child}/exe").endswith("/systemd"):
                        self.leader = child
                except OSError:
                    pass
        return self.leader

    def watch(self, on_running: Any) -> str:
        def report() -> None:
            # "degraded" is up as well: a unit of a test may have failed.
            while self.process.poll() is None:
                _, answer = self.device.output(["systemctl", "is-system-running"])
                if answer.strip() in ("running", "degraded"):
                    return on_running()
                time.sleep(0.05)

        reporter = threading.Thread(target=report, daemon=True)
        reporter.start()
        status = self.process.wait()
        reporter.join(35)
        if status == REBOOT:
            return "reboot"
        if status == 0:
            return "off"
        return f"systemd-nspawn ended with {status}: {self.device.last_console_line()}"

    def end(self, kindly: bool) -> None:
        if self.process.poll() is not None:
            return
        if kindly and self.leader:
            # SIGRTMIN+4 to systemd: power off.
            try:
                os.kill(self.leader, signal.SIGRTMIN + 4)
            except ProcessLookupError:
                pass
            killer = threading.Timer(30, lambda: self.end(kindly=False))
            killer.daemon = True
            killer.start()
            return
        if self.process.poll() is None:
            # Its child goes with it, and the namespaces with that.
            self.process.kill()
