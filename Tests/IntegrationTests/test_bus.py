"""The fake systemd1, as plugins that restart a unit rely on it."""

from __future__ import annotations

from typing import Iterator

import dbus
import pytest

from harness.bus import SystemBus
from harness.paths import SANDBOX_ROOT
from harness.waiting import stays, wait_until

UNIT = "redsocks.service"


@pytest.fixture
def bus() -> Iterator[SystemBus]:
    with SystemBus(SANDBOX_ROOT / "fake-bus") as bus:
        yield bus


@pytest.fixture
def manager(bus: SystemBus) -> Iterator[dbus.Interface]:
    connection = bus.connect()
    root = connection.get_object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
    yield dbus.Interface(root, "org.freedesktop.systemd1.Manager")
    connection.close()


def state(bus: SystemBus, manager: dbus.Interface) -> str:
    connection = bus.connect()
    try:
        unit = connection.get_object("org.freedesktop.systemd1", manager.GetUnit(UNIT))
        return str(unit.Get("org.freedesktop.systemd1.Unit", "ActiveState", dbus_interface=dbus.PROPERTIES_IFACE))
    finally:
        connection.close()


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("command, expected", [("true", "active"), ("exit 3", "failed")])
def test_the_hook_decides(bus: SystemBus, manager: dbus.Interface, early: bool, command: str, expected: str) -> None:
    ran = bus.root / "ran"
    bus.behave(hooks={UNIT: f"touch {ran}; {command}"}, early=early)
    assert manager.RestartUnit(UNIT, "replace").startswith("/org/freedesktop/systemd1/job/")
    wait_until(lambda: state(bus, manager) == expected, 5, f"the unit is {expected}")
    assert ran.exists()
    assert manager.ListJobs() == []
    assert bus.calls == [["RestartUnit", UNIT, "replace"]]


def test_a_stuck_job_stays(bus: SystemBus, manager: dbus.Interface) -> None:
    bus.behave(stuck=[UNIT])
    manager.RestartUnit(UNIT, "replace")
    stays(lambda: len(manager.ListJobs()) == 1, 0.3, "the job is there")
    bus.end_jobs(UNIT)
    assert manager.ListJobs() == []


def test_a_refusal_has_its_name(bus: SystemBus, manager: dbus.Interface) -> None:
    bus.behave(refuse={"RestartUnit": ["org.freedesktop.DBus.Error.AccessDenied", "Access denied"]})
    with pytest.raises(dbus.DBusException) as caught:
        manager.RestartUnit(UNIT, "replace")
    assert caught.value.get_dbus_name() == "org.freedesktop.DBus.Error.AccessDenied"
    assert manager.ListJobs() == []
