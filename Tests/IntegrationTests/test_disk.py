"""A disk under the applications' data that does not answer: what needs it is refused in time, everything else goes on."""

from __future__ import annotations

import time
from typing import Iterator

import pytest

from harness import target
from harness.disk import Disk
from harness.plugins import PingProbe
from harness.powered import Powered
from harness.supervisor import Supervisor
from harness.waiting import wait_until
from harness.wire import Response

MESSAGE = "The disk does not answer"
#: For so many seconds the disk is waited for by who wants to be told something, and by who wants something done.
SHORT_PATIENCE, PATIENCE = 5, 30


@pytest.fixture
def disk(supervisor: Supervisor) -> Iterator[Disk]:
    disk = Disk(supervisor.root, supervisor.data, supervisor.user)
    yield disk
    disk.dispose()


@pytest.fixture
def running(supervisor: Supervisor, disk: Disk) -> Supervisor:
    supervisor.write_target(target.app())
    supervisor.start()
    supervisor.wait_settled(release="a")
    return supervisor


def restart(supervisor: Supervisor, force: bool = False) -> Response:
    return supervisor.api("POST", "/v1/restart", {"appId": target.APP, "force": force}, timeout=60)


def test_it_is_told_and_nobody_waits_for_it(running: Supervisor, disk: Disk) -> None:
    before = running.settled(release="a")
    disk.hang()
    with PingProbe(running) as pings:
        begun = time.monotonic()
        device = running.device()
        assert SHORT_PATIENCE - 0.5 < time.monotonic() - begun < SHORT_PATIENCE + 2
        refused = restart(running)
        assert PATIENCE - 0.5 < time.monotonic() - begun < PATIENCE + 2
    assert pings.worst < 1 and len(pings.times) > 10
    (lock,) = device["locks"]
    path = f"{running.data_folder()}/resin-updates.lock"
    assert (lock["appId"], lock["path"], lock["reason"]) == (target.APP, path, MESSAGE)

    # Who comes from now on waits no more.
    begun = time.monotonic()
    assert running.device()["locks"] == device["locks"]
    healthy = running.api("GET", "/v1/healthy")
    assert healthy.status == 500 and healthy.body.startswith(b"The disk has not answered for ")
    for refused in (refused, restart(running), restart(running, force=True)):
        assert (refused.status, refused.body, refused.header("Retry-After")) == (503, MESSAGE.encode(), "5")
    status = running.ctl("status")
    assert status.returncode == 0 and "UNHEALTHY: The disk has not answered for" in status.stdout
    assert MESSAGE in running.ctl("locks").stdout
    assert time.monotonic() - begun < 3

    disk.go_on()
    running.logged("The disk answers again, after ")
    assert running.log.count("The disk has not answered for 5 s") == 1
    assert running.device()["locks"] == [] and running.api("GET", "/v1/healthy").status == 200
    assert running.settled(release="a")["Id"] == before["Id"], "what was refused is not done later"
    assert restart(running).status == 200


def test_an_update_waits_for_it_and_goes_on_by_itself(running: Supervisor, disk: Disk) -> None:
    disk.hang()
    running.write_target(target.app(release="b"))
    wait_until(lambda: MESSAGE in running.ctl("status").stdout, 60, "it is told")
    assert running.settled(release="a")
    disk.go_on()
    running.wait_settled(release="b")
    assert not running.device()["update_failed"]


def test_it_does_not_keep_the_supervisor_from_its_end(running: Supervisor, disk: Disk) -> None:
    disk.hang()
    assert running.device()["locks"]
    begun = time.monotonic()
    assert running.stop() == 1
    assert time.monotonic() - begun < 18, "systemd would have killed it"
    assert "The disk does not answer; no longer waiting for it" in running.log
    disk.go_on()
    running.start()
    running.wait_settled(release="a")


def test_a_forced_reboot_does_not_wait_for_it(supervisor: Supervisor, disk: Disk) -> None:
    powered = Powered(supervisor)
    supervisor.write_target(target.app())
    supervisor.start()
    powered.runs()
    disk.hang()
    begun = time.monotonic()
    refused = powered.power("reboot")
    assert refused.status == 500 and MESSAGE.encode() in refused.body
    assert not powered.stopped() and powered.asked() == []
    accepted = powered.power("reboot", {"force": True})
    assert accepted.status == 202, accepted.body
    assert time.monotonic() - begun < PATIENCE + 15
    assert powered.stopped() and powered.asked() == ["power.reboot"]
    assert "Not waiting for the disk" in supervisor.log
