"""A small org.freedesktop.systemd1 for tests: jobs and units on the bus, no unit ever runs. Run as a program:

    fake_systemd1.py CALLS BEHAVIOUR

CALLS gets a JSON line for every call that would change something: ["StartUnit", "reboot.target", "replace"].
BEHAVIOUR is a JSON object, read at every such call; every member may be absent:

    hooks    {unit: shell command}: run for a job of the unit; its status decides between done and failed
    states   {unit: shell command}: prints the ActiveState of the unit, which is else that of its last job
    refuse   {method: [D-Bus error, text]}
    silent   [method]: takes the call and never answers
    stuck    [unit]: its jobs never end; those of targets for a shutdown never do
    late     {method: seconds}: the job is there at once, the answer to the call comes so much later
    early    true: JobRemoved goes out before the answer to the call, as a very short job may have it

It says "ready" on its standard output when it has its name. Ends with the bus.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Callable

import dbus
import dbus.lowlevel
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.systemd1"
ROOT = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"
UNIT = "org.freedesktop.systemd1.Unit"
PROPERTIES = "org.freedesktop.DBus.Properties"
SHUTDOWN = {"reboot.target", "poweroff.target", "halt.target", "kexec.target"}

calls_file, behaviour_file = sys.argv[1:3]


def behaviour() -> dict[str, Any]:
    with open(behaviour_file) as file:
        return json.load(file)


def escape(unit: str) -> str:
    return "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in unit)


def unescape(label: str) -> str:
    result, index = "", 0
    while index < len(label):
        if label[index] == "_":
            result += chr(int(label[index + 1 : index + 3], 16))
            index += 3
        else:
            result += label[index]
            index += 1
    return result


class Job:
    def __init__(self, number: int, unit: str, kind: str) -> None:
        self.number, self.unit, self.kind = number, unit, kind
        self.path = f"{ROOT}/job/{number}"


class Units(dbus.service.FallbackObject):
    """/org/freedesktop/systemd1/unit/…"""

    def __init__(self, bus: dbus.Bus, manager: "Manager") -> None:
        super().__init__(bus, f"{ROOT}/unit")
        self.manager = manager

    @dbus.service.method(PROPERTIES, "ss", "v", rel_path_keyword="path")
    def Get(self, interface: str, name: str, path: str) -> Any:
        values = self.values(unescape(path.strip("/")))
        if name not in values:
            raise dbus.DBusException("no such property", name="org.freedesktop.DBus.Error.UnknownProperty")
        return values[name]

    @dbus.service.method(PROPERTIES, "s", "a{sv}", rel_path_keyword="path")
    def GetAll(self, interface: str, path: str) -> Any:
        return self.values(unescape(path.strip("/")))

    def values(self, unit: str) -> dict[str, Any]:
        job = next((job for job in self.manager.jobs.values() if job.unit == unit), None)
        state = self.manager.states.get(unit, "inactive")
        if probe := behaviour().get("states", {}).get(unit):
            state = subprocess.run(probe, shell=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        return {
            "Id": unit,
            "LoadState": "loaded",
            "ActiveState": state,
            "SubState": {"active": "running", "failed": "failed"}.get(state, "dead"),
            "Result": "exit-code" if state == "failed" else "success",
            "Job": dbus.Struct(
                (dbus.UInt32(job.number if job else 0), dbus.ObjectPath(job.path if job else "/")), signature="uo"
            ),
        }


class Manager(dbus.service.Object):
    def __init__(self, bus: dbus.Bus) -> None:
        super().__init__(bus, ROOT)
        self.bus = bus
        self.jobs: dict[int, Job] = {}
        self.states: dict[str, str] = {}
        self.serial = 0

    def record(self, *call: str) -> None:
        with open(calls_file, "a") as file:
            file.write(json.dumps([str(part) for part in call]) + "\n")

    def enqueue(self, method: str, unit: str, mode: str, kind: str, done: Callable, failed: Callable) -> None:
        unit = str(unit)
        self.record(method, unit, mode)
        how = behaviour()
        if method in how.get("silent", []):
            return
        if method in how.get("refuse", {}):
            name, text = how["refuse"][method]
            failed(dbus.DBusException(text, name=name))
            return
        self.serial += 1
        job = Job(self.serial, unit, kind)
        self.jobs[job.number] = job
        self.JobNew(job.number, job.path, unit)
        if method in how.get("late", {}):
            done, answer = (lambda path: GLib.timeout_add(int(how["late"][method] * 1000), answer, path)), done
        if unit in SHUTDOWN or unit in how.get("stuck", []):
            done(job.path)
            return
        if how.get("early"):
            hook = subprocess.run(how.get("hooks", {}).get(unit, "true"), shell=True)
            self.finish(job, hook.returncode)
            done(job.path)
            return
        done(job.path)
        hook = subprocess.Popen(how.get("hooks", {}).get(unit, "true"), shell=True)
        GLib.child_watch_add(GLib.PRIORITY_DEFAULT, hook.pid, lambda _pid, status: self.finish(job, status))

    def finish(self, job: Job, status: int) -> None:
        del self.jobs[job.number]
        self.states[job.unit] = "failed" if status else ("inactive" if job.kind == "stop" else "active")
        self.JobRemoved(job.number, job.path, job.unit, "failed" if status else "done")

    @dbus.service.method(MANAGER, "ss", "o", async_callbacks=("done", "failed"))
    def StartUnit(self, unit: str, mode: str, done: Callable, failed: Callable) -> None:
        self.enqueue("StartUnit", unit, mode, "start", done, failed)

    @dbus.service.method(MANAGER, "ss", "o", async_callbacks=("done", "failed"))
    def StopUnit(self, unit: str, mode: str, done: Callable, failed: Callable) -> None:
        self.enqueue("StopUnit", unit, mode, "stop", done, failed)

    @dbus.service.method(MANAGER, "ss", "o", async_callbacks=("done", "failed"))
    def RestartUnit(self, unit: str, mode: str, done: Callable, failed: Callable) -> None:
        self.enqueue("RestartUnit", unit, mode, "restart", done, failed)

    @dbus.service.method(MANAGER, "s", "o")
    def LoadUnit(self, unit: str) -> str:
        return f"{ROOT}/unit/{escape(unit)}"

    @dbus.service.method(MANAGER, "s", "o")
    def GetUnit(self, unit: str) -> str:
        return f"{ROOT}/unit/{escape(unit)}"

    @dbus.service.method(MANAGER, "", "a(usssoo)")
    def ListJobs(self) -> list[Any]:
        return [
            (job.number, job.unit, job.kind, "waiting", job.path, f"{ROOT}/unit/{escape(job.unit)}")
            for job in self.jobs.values()
        ]

    @dbus.service.method(MANAGER)
    def Subscribe(self) -> None:
        pass

    @dbus.service.method(MANAGER)
    def Unsubscribe(self) -> None:
        pass

    @dbus.service.method("test.systemd1", "s")
    def EndJobs(self, unit: str) -> None:
        """Ends the jobs of a unit that would go on for ever."""
        for job in [job for job in self.jobs.values() if job.unit == unit]:
            self.finish(job, 0)

    @dbus.service.signal(MANAGER, "uos")
    def JobNew(self, number: int, job: str, unit: str) -> None:
        pass

    @dbus.service.signal(MANAGER, "uoss")
    def JobRemoved(self, number: int, job: str, unit: str, result: str) -> None:
        pass


def main() -> None:
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()
    manager = Manager(bus)
    Units(bus, manager)
    name = dbus.service.BusName(NAME, bus)
    print("ready", flush=True)
    GLib.MainLoop().run()
    del name


main()
