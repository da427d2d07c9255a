"""A system bus of the tests' own, with the real logind and hostnamed on it and a small fake of systemd1.

Nothing of it reaches the machine: the daemons run in mount and UTS namespaces with their own /etc, /run and host name, and
logind without the capability to reboot.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import dbus
import dbus.bus

from .processes import Process, must, run
from .waiting import wait_until

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
</busconfig>
"""


class Host:
    """Namespaces with an /etc, a /run and a host name of their own, held by a process that sleeps."""

    def __init__(self, root: Path, hostname: str) -> None:
        etc = root / "etc"
        script = f"""
            set -e
            mkdir -p {etc}
            mount -t tmpfs -o mode=0755 tmpfs {etc}
            cp -a /etc/. {etc}/
            mount --bind {etc} /etc
            mount -t tmpfs -o mode=0755 tmpfs /run
            mkdir -p /run/systemd/seats /run/systemd/users /run/systemd/sessions /run/systemd/inhibit \\
                /run/systemd/shutdown /run/systemd/system /run/systemd/notify /run/lock
            echo {hostname} > /etc/hostname
            hostname {hostname}
            rm -f /etc/machine-info
            echo up
            exec sleep infinity
        """
        self.process = Process(["unshare", "--mount", "--uts", "sh", "-c", script], root / "host.log")
        wait_until(lambda: "up\n" in self.process.log, 10, f"the namespaces are there: {self.process.log}")

    def command(self, *parts: str | Path) -> list[str | Path]:
        return ["nsenter", f"--target={self.process.pid}", "--mount", "--uts", "--", *parts]

    def must(self, *parts: str | Path) -> str:
        return must(self.command(*parts))

    @property
    def kernel_hostname(self) -> str:
        return self.must("hostname").strip()

    @property
    def etc_hostname(self) -> str | None:
        done = run(self.command("cat", "/etc/hostname"))
        return done.stdout.strip() if done.returncode == 0 else None

    def set_etc_read_only(self, flag: bool) -> None:
        self.must("mount", "-o", f"remount,bind,{'ro' if flag else 'rw'}", "/etc")

    def dispose(self) -> None:
        self.process.kill()


class SystemBus:
    """The bus. `start` brings up dbus-daemon and systemd1; logind comes when it is asked for, hostnamed by activation."""

    def __init__(self, root: Path, hostname: str = "before") -> None:
        self.root = root
        root.mkdir(parents=True)
        root.chmod(0o755)
        self.socket = root / "bus"
        self.services = root / "services"
        self.services.mkdir()
        self.calls_file = root / "calls.jsonl"
        self.behaviour_file = root / "behaviour.json"
        self.behave()
        self.host = Host(root, hostname)
        self.daemon: Process | None = None
        self.systemd: Process | None = None
        self.logind: Process | None = None
        self.hostnamed_log = root / "hostnamed.log"
        wrapper = root / "hostnamed"
        inside = " ".join(str(part) for part in self.host.command("/lib/systemd/systemd-hostnamed"))
        wrapper.write_text(f"#!/bin/sh\necho started >> {self.hostnamed_log}\nexec {inside} 2>> {self.hostnamed_log}\n")
        wrapper.chmod(0o755)
        self.add_service("org.freedesktop.hostname1", wrapper)
        (root / "bus.conf").write_text(CONFIGURATION.format(socket=self.socket, services=self.services))

    def add_service(self, name: str, program: Path) -> None:
        """A service that the bus starts when somebody calls it. Before `start`."""
        (self.services / f"{name}.service").write_text(f"[D-BUS Service]\nName={name}\nExec={program}\nUser=root\n")

    @property
    def address(self) -> str:
        return f"unix:path={self.socket}"

    @property
    def environment(self) -> dict[str, str]:
        """For programs that are to find this bus."""
        return {"DBUS_SYSTEM_BUS_ADDRESS": self.address}

    def connect(self) -> dbus.bus.BusConnection:
        """A connection of the test's own."""
        connection = dbus.bus.BusConnection(self.address)
        connection.set_exit_on_disconnect(False)
        return connection

    def owns(self, name: str) -> bool:
        connection = self.connect()
        try:
            return bool(connection.name_has_owner(name))
        finally:
            connection.close()

    # ---- daemons

    def start(self) -> None:
        assert not self.daemon
        self.socket.unlink(missing_ok=True)
        command = ["dbus-daemon", f"--config-file={self.root / 'bus.conf'}", "--nofork", "--nopidfile"]
        self.daemon = Process(command, self.root / "dbus-daemon.log", self.environment)
        wait_until(lambda: bool(self.connect().close() or True), 5, f"the bus is up: {self.daemon.log}")
        self.start_systemd()

    def start_systemd(self) -> None:
        command = [sys.executable, Path(__file__).with_name("fake_systemd1.py"), self.calls_file, self.behaviour_file]
        self.systemd = Process(command, self.root / "systemd1.log", self.environment)
        wait_until(lambda: self.owns("org.freedesktop.systemd1"), 10, f"systemd1 is up: {self.systemd.log}")

    def start_logind(self) -> Process:
        assert self.daemon and not self.logind
        # Whatever happens in there, the kernel refuses it reboot(2).
        bare = ["setpriv", "--bounding-set=-sys_boot", "--inh-caps=-sys_boot", "--", "/lib/systemd/systemd-logind"]
        self.logind = Process(self.host.command(*bare), self.root / "logind.log", self.environment)
        wait_until(lambda: self.owns("org.freedesktop.login1"), 10, f"logind is up: {self.logind.log}")
        status = Path(f"/proc/{self.logind.pid}/status").read_text()
        effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
        assert not effective & (1 << 22), "logind has CAP_SYS_BOOT"
        return self.logind

    def stop_logind(self) -> None:
        process, self.logind = self.logind, None
        if process:
            process.send(signal.SIGCONT)
            process.kill()

    def stop(self) -> None:
        """Ends the bus and all that is on it, hard."""
        self.stop_logind()
        for process in (self.daemon, self.systemd):
            if process:
                process.send(signal.SIGCONT)
                process.kill()
        self.daemon = self.systemd = None

    def dispose(self) -> None:
        self.stop()
        self.host.dispose()
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self) -> "SystemBus":
        try:
            self.start()
        except BaseException:
            self.dispose()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for log in ("dbus-daemon.log", "systemd1.log", "logind.log", "hostnamed.log"):
            if (self.root / log).exists():
                print(f"--- {log}\n" + (self.root / log).read_text(errors="replace")[-3000:])
        self.dispose()

    # ---- systemd1

    def behave(self, **how: Any) -> None:
        """What fake_systemd1.py does from now on: hooks, refuse, silent, stuck, late, early; see there."""
        temporary = self.behaviour_file.with_suffix(".new")
        temporary.write_text(json.dumps(how))
        temporary.rename(self.behaviour_file)

    @property
    def calls(self) -> list[list[str]]:
        """Every StartUnit, StopUnit and RestartUnit: method, unit, mode."""
        if not self.calls_file.exists():
            return []
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()]

    def end_jobs(self, unit: str) -> None:
        """Ends jobs that never end by themselves, such as those of a shutdown."""
        connection = self.connect()
        manager = connection.get_object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
        dbus.Interface(manager, "test.systemd1").EndJobs(unit)
        connection.close()

    # ---- logind

    def inhibit(self, what: str = "shutdown", who: str = "test", why: str = "because", mode: str = "block") -> int:
        """What systemd-inhibit does. Returns a descriptor; closing it lets go."""
        connection = self.connect()
        manager = connection.get_object("org.freedesktop.login1", "/org/freedesktop/login1")
        descriptor = dbus.Interface(manager, "org.freedesktop.login1.Manager").Inhibit(what, who, why, mode).take()
        connection.close()
        os.set_inheritable(descriptor, False)
        return int(descriptor)
