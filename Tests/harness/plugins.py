"""Plugins of a device under test: manifests, the scripted plugin, and the two launchers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Sequence

from .processes import Process
from .supervisor import Supervisor, User, binary
from .waiting import wait_until
from .wire import exchange, request

#: The operations of the contract, by the plugin that ships for them.
OPERATIONS = {
    "logind": ["power.reboot", "power.power-off", "power.status"],
    "hostnamed": ["hostname.get", "hostname.set"],
    "redsocks": ["proxy.get", "proxy.set", "proxy.clear"],
    "led": ["led.blink"],
    "tcp-ping": ["tcp-ping.enable", "tcp-ping.disable", "tcp-ping.status"],
    "storage": ["storage.reap", "storage.lock-space"],
}


def executable(name: str) -> Path:
    """The program of a plugin, as it is built, or as it ships beside the directory of the programs."""
    built = binary(f"supervisor-plugin-{name}")
    return built if built.exists() else built.parent.parent / "libexec/device-supervisor/plugins" / name


class Scripted:
    """The scripted plugin under some name: what it is told to do, and what it has seen."""

    def __init__(self, folder: Path, name: str, operations: Sequence[str], user: User) -> None:
        self.name, self.operations = name, list(operations)
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user.uid, user.gid)
        self.script_file = folder / f"{name}.script"
        self.journal_file = folder / f"{name}.journal"
        self._order = 0
        self.script({})

    def script(self, behaviours: dict[str, list[dict[str, Any]]]) -> None:
        """What each operation does from now on; an operation that is not named succeeds with {}."""
        self._order += 1
        temporary = self.script_file.with_suffix(".new")
        # Never the same bytes twice: a script that changes begins from its first behaviour.
        temporary.write_text(json.dumps({**behaviours, "(order)": [{"order": self._order}]}))
        temporary.chmod(0o644)
        temporary.rename(self.script_file)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "Name": self.name,
            "Operations": " ".join(self.operations),
            "Script": str(self.script_file),
            "Journal": str(self.journal_file),
        }

    @property
    def journal(self) -> list[dict[str, Any]]:
        if not self.journal_file.exists():
            return []
        lines = self.journal_file.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def received(self, method: str) -> list[dict[str, Any]]:
        return [entry for entry in self.journal if entry.get("event") == "received" and entry.get("method") == method]

    @property
    def pids(self) -> list[int]:
        """Of every process of it that has started, in order."""
        return [entry["pid"] for entry in self.journal if entry["event"] == "start"]

    def kill_all(self) -> None:
        """Every process of it that is left."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_received(self, method: str, count: int = 1, deadline: float = 10) -> list[dict[str, Any]]:
        def there() -> list[dict[str, Any]]:
            found = self.received(method)
            assert len(found) >= count, f"{len(found)} of {count}"
            return found

        return wait_until(there, deadline, f"{self.name} has received {method}")


class Activation:
    """systemd-socket-activate in place of a socket unit with Accept=yes: each connection gets a process of its own."""

    def __init__(self, socket: Path, command: Sequence[str | Path], user: User, log: Path) -> None:
        self.socket = socket
        inherited = [f"--setenv={name}" for name in ("DBUS_SYSTEM_BUS_ADDRESS", "LD_LIBRARY_PATH") if name in os.environ]
        self.process = Process(
            ["systemd-socket-activate", "--accept", "--inetd", *inherited, "-l", socket, *command], log
        )
        wait_until(socket.exists, 5, f"{socket} listens")
        os.chown(socket, 0, user.gid)
        socket.chmod(0o660)

    def stop(self) -> None:
        self.process.kill()
        self.socket.unlink(missing_ok=True)


class Plugins:
    """The manifests of one device, in two directories: `high` stands for /etc, `low` for /usr/lib."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.root = supervisor.root / "plugins"
        self.high = self.root / "etc"
        self.low = self.root / "lib"
        for folder in (self.root, self.high, self.low):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        self.activations: list[Activation] = []
        supervisor.settings.setdefault("Plugins", {})["SearchPath"] = f"{self.high}:{self.low}"
        supervisor.write_config()

    def manifest(
        self,
        name: str,
        provides: Sequence[str],
        program: Path | None = None,
        socket: Path | None = None,
        settings: dict[str, str] | None = None,
        folder: Path | None = None,
        match: str | None = None,
        plugin: dict[str, str] | None = None,
        **launch: str | int,
    ) -> Path:
        """Writes `<name>.plugin`, launched from `program`, or through `socket`."""
        target = {"Mode": "socket", "Socket": socket} if socket else {"Mode": "exec", "Exec": program}
        sections: dict[str, dict[str, object]] = {
            "Plugin": {"Name": name, "Provides": " ".join(provides), **(plugin or {})},
            "Launch": {**target, **launch},
        }
        if match is not None:
            sections["Match"] = {"DeviceType": match}
        if settings:
            sections["Settings"] = dict(settings)
        text = "\n".join(
            f"[{section}]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
            for section, values in sections.items()
        )
        file = (folder or self.low) / f"{name}.plugin"
        temporary = file.with_suffix(".new")
        temporary.write_text(text)
        temporary.rename(file)
        return file

    def drop_in(self, name: str, text: str, file: str = "50-test.conf") -> Path:
        folder = self.high / f"{name}.plugin.d"
        folder.mkdir(exist_ok=True)
        (folder / file).write_text(text)
        return folder / file

    def scripted(
        self,
        name: str = "scripted",
        operations: Sequence[str] | None = None,
        through_socket: bool = False,
        **options: Any,
    ) -> Scripted:
        """The scripted plugin, claiming `operations`; by default those of the real plugin of that name."""
        operations = list(operations if operations is not None else OPERATIONS[name])
        plugin = Scripted(self.root / "scripted", name, operations, self.supervisor.user)
        options.setdefault("settings", plugin.settings)
        socket = self.root / f"{name}.sock" if through_socket else None
        if socket:
            self.activate(socket, [executable("scripted")])
        self.manifest(name, operations, executable("scripted"), socket, **options)
        return plugin

    def activate(self, socket: Path, command: Sequence[str | Path]) -> Activation:
        log = self.root / f"{socket.stem}.log"
        activation = Activation(socket, command, self.supervisor.user, log)
        self.activations.append(activation)
        return activation

    def dispose(self) -> None:
        for activation in self.activations:
            activation.stop()

    # ---- what the supervisor says of them

    def states(self) -> dict[str, dict[str, Any]]:
        return {plugin["name"]: plugin for plugin in self.supervisor.control_json("/control/plugins")}

    def wait_state(self, name: str, state: str, deadline: float = 10, reason: str = "") -> dict[str, Any]:
        def there() -> dict[str, Any]:
            plugin = self.states()[name]
            assert plugin["state"] == state and reason in (plugin["reason"] or ""), plugin
            return plugin

        return wait_until(there, deadline, f"{name} is {state}")

    def call(self, operation: str, parameters: dict[str, Any] | None = None) -> "tuple[int, str]":
        """superctl call; its status and what it printed."""
        done = self.supervisor.ctl("call", operation, json.dumps(parameters or {}))
        return done.returncode, done.stdout or done.stderr


class PingProbe:
    """Asks /ping all the time, on a connection of its own for each, and keeps how long each answer took (seconds)."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.times: list[float] = []

    def __enter__(self) -> "PingProbe":
        self._stop = threading.Event()
        data = request("GET", f"/ping?apikey={self.supervisor.key}")

        def probe() -> None:
            while not self._stop.is_set():
                begin = time.monotonic()
                try:
                    ok = exchange(self.supervisor.address, data, timeout=5).body == b"OK"
                except OSError:
                    ok = False
                self.times.append(time.monotonic() - begin if ok else 99.0)
                time.sleep(0.005)

        self._thread = threading.Thread(target=probe)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def worst(self) -> float:
        return max(self.times)

    def percentile(self, share: float) -> float:
        return sorted(self.times)[int(len(self.times) * share)]
