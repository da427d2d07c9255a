"""What an operator does to the units, and what the supervisor makes of it: apps go on, and all converges."""

from __future__ import annotations

import time
from typing import Callable

import pytest

from harness.machine import APP, Machine, demo_target
from harness.waiting import wait_until

#: An operation of each plugin that changes nothing.
OPERATIONS = {
    "logind": "power.status",
    "hostnamed": "hostname.get",
    "redsocks": "proxy.get",
    "storage": "storage.reap",
    "tcp-ping": "tcp-ping.status",
}
DROP_IN = "/etc/device-supervisor/device-supervisor.conf.d/90-test.conf"


@pytest.fixture
def untouched(device: Machine):  # type: ignore[no-untyped-def]
    """Asserts at the end that the app's container is the one that ran at the beginning, never started again."""
    before = device.wait_app()
    yield device
    after = device.wait_app()
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])


def test_a_masked_plugin_is_gone_and_nothing_else(untouched: Machine) -> None:
    device, name = untouched, "hostnamed"
    device.sh("superctl call hostname.get")
    device.sh(f"systemctl mask --now supervisor-plugin-{name}.socket")
    try:
        answer = device.api("PATCH", "/v1/device/host-config", {"network": {"hostname": "nobody-sets-it"}})
        assert answer.status in (501, 503), answer
        # Whoever asks learns it; so does who looks.
        wait_until(lambda: device.plugin(name)["state"] in ("absent", "masked"), 30, "it is known to be absent")
        assert "mask" in device.sh("superctl plugins")
        assert device.pings() and device.api("GET", "/v1/healthy").status == 200
    finally:
        socket = f"supervisor-plugin-{name}.socket"
        device.sh(f"systemctl unmask {socket} && systemctl start {socket}")

    def works() -> bool:
        answer = device.api("PATCH", "/v1/device/host-config", {"network": {"hostname": device.sh("hostname")}})
        return answer.status == 200

    wait_until(works, 30, "its coming is noticed")


def test_reload_takes_a_good_file_and_refuses_a_bad_one(untouched: Machine) -> None:
    device = untouched
    pid = device.pid()
    try:
        device.write(DROP_IN, "[Applications]\nPollIntervalSec=45\n")
        assert device.run("systemctl", "reload", "device-supervisor").status == 0
        device.write(DROP_IN, "[Applications]\nPollIntervalSec=soon\n")
        assert device.run("systemctl", "reload", "device-supervisor").status != 0
        assert "PollIntervalSec" in device.journal("-u", "device-supervisor", "-n", "50")
        assert device.pid() == pid and device.pings()
    finally:
        device.sh(f"rm -f {DROP_IN}")
        device.sh("systemctl reload device-supervisor")
    assert device.pid() == pid


def test_a_configuration_that_stops_is_not_started_for_ever(device: Machine) -> None:
    try:
        device.write(DROP_IN, "[API]\nPort=lots\n")
        device.run("systemctl", "restart", "device-supervisor")
        wait_until(lambda: device.show("device-supervisor", "ExecMainStatus") == "78", 10, "it says that its file is bad")
        restarts = device.show("device-supervisor", "NRestarts")
        time.sleep(3)
        assert device.show("device-supervisor", "NRestarts") == restarts
        assert device.wait_app()["State"]["Running"]
        assert "Port" in device.journal("-u", "device-supervisor", "-n", "50")
    finally:
        device.sh(f"rm -f {DROP_IN}; systemctl restart device-supervisor")
    device.wait_pings()


def test_a_killed_core_is_back_and_its_apps_have_not_noticed(untouched: Machine) -> None:
    pid = untouched.pid()
    untouched.sh("systemctl kill -s KILL device-supervisor")
    wait_until(lambda: untouched.pid() not in (0, pid), 15, "it was started again")
    untouched.wait_pings()


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_killed_plugin_is_there_when_it_is_needed(untouched: Machine, name: str) -> None:
    device, call = untouched, f"superctl call {OPERATIONS[name]}"
    device.sh(call)
    instances = f"systemctl list-units --no-legend --plain --state running 'supervisor-plugin-{name}@*' | cut -d' ' -f1"
    killed = device.sh(instances).split()
    assert len(killed) == 1
    device.sh(f"systemctl kill -s KILL {killed[0]}")
    wait_until(lambda: device.run("bash", "-c", call).status == 0, 30, f"{name} works again")
    assert device.sh(instances).split() not in ([], killed)
    assert device.pings()
    # Nothing is left of the one that was killed.
    assert device.sh("systemctl list-units --no-legend --plain --failed 'device-supervisor*' 'supervisor*'") == ""


def test_a_core_that_hangs_is_ended_by_the_watchdog(untouched: Machine, measured: Callable[[str], None]) -> None:
    pid = untouched.pid()
    begin = time.monotonic()
    untouched.sh(f"kill -STOP {pid}")
    wait_until(lambda: untouched.pid() not in (0, pid), 60, "systemd has started another")
    untouched.wait_pings()
    measured(f"a core that hangs is replaced after {time.monotonic() - begin:.1f} s")
    assert "watchdog" in untouched.journal("-u", "device-supervisor", "-n", "50").lower()


def test_a_restart_of_docker_converges(device: Machine) -> None:
    pid = device.pid()
    device.sh("systemctl restart docker", timeout=90)
    device.wait_app()
    device.wait_pings()
    wait_until(lambda: device.api("GET", "/v1/healthy").status == 200, 60, "it is healthy")
    assert device.pid() == pid
    assert device.app_asks("GET", "/ping").endswith("OK")


def test_a_restart_of_the_supervisor_during_an_update_converges(device: Machine) -> None:
    try:
        for number in range(3, 7):
            device.write_target(demo_target(commit=str(number) * 40))
            time.sleep(0.1 * number)
            device.sh("systemctl restart device-supervisor")

        def settled() -> bool:
            answer = device.api("GET", f"/v1/apps/{APP}")
            return answer.status == 200 and answer.json["commit"] == "6" * 40

        wait_until(settled, 60, "the last target runs")
        ids = device.sh(f"docker ps -aq --filter label=io.supervisor.app-id={APP}").split()
        assert len(ids) == 1
    finally:
        device.write_target(demo_target())
        wait_until(lambda: device.api("GET", f"/v1/apps/{APP}").json["commit"] == "1" * 40, 60, "the demo is back")


def test_the_whole_target_stops_and_starts(untouched: Machine) -> None:
    untouched.sh("systemctl stop device-supervisor.target")
    assert untouched.run("systemctl", "is-active", "device-supervisor").out.strip() == "inactive"
    untouched.sh("systemctl start device-supervisor.target")
    untouched.wait_pings()


def test_each_app_has_a_lock_space_that_host_and_core_see(device: Machine) -> None:
    device.wait_app()
    place = f"/run/device-supervisor-locks/{APP}"

    def is_there() -> bool:
        return device.run("mountpoint", "-q", place).status == 0

    if not is_there():
        # Installed while the app ran: it gets one at its next start.
        device.sh(f"superctl restart {APP}")
        wait_until(is_there, 30, "the plugin has had it mounted")
        device.wait_app()
    assert f" {place} " in device.sh(f"cat /proc/{device.pid()}/mounts"), "the core sees it"
    assert int(device.sh(f"stat -f -c %c {place}")) <= 1024
    device.in_app("i=0; while (: > /tmp/balena/f$i) 2>/dev/null; do i=$((i+1)); done")
    assert f"application {APP} has filled" in device.sh("superctl locks")
    device.in_app("rm -f /tmp/balena/f*")
    assert "has filled" not in device.sh("superctl locks")
