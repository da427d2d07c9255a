"""The host's endpoints, asked from inside an app's container: what they say happens to the machine."""

from __future__ import annotations

from typing import Callable

from harness.machine import APP, Machine
from harness.waiting import wait_until


def take_lock(device: Machine) -> None:
    device.in_app('touch "$RESIN_APP_LOCK_PATH"')


def drop_lock(device: Machine) -> None:
    device.in_app('rm -f "$RESIN_APP_LOCK_PATH"')


def test_reboot_is_real_and_keeps_what_is_to_be_kept(device: Machine, measured: Callable[[str], None]) -> None:
    before, key, boots = device.boot_id, device.key, device.status["boots"]
    device.in_app("echo kept >/data/kept")
    device.app_asks("POST", "/v1/tcp-ping")
    device.app_asks("POST", "/v1/reboot", wait=False)
    device.wait_state("running", boots=boots + 1)
    assert device.boot_id != before
    device.wait_pings()
    assert device.key == key
    device.wait_app()
    assert device.in_app("cat /data/kept") == "kept"
    # Each takes its own lock again, as it could before.
    take_lock(device)
    answer = device.app_asks("POST", "/v1/restart", {"appId": APP})
    assert "423" in answer.splitlines()[0]
    drop_lock(device)
    assert device.app_asks("GET", "/ping").endswith("OK")
    before_us = device.sh("systemd-analyze blame --no-pager | grep -E 'supervisor|docker' || true")
    measured("boot: " + device.sh("systemd-analyze time | head -1"))
    measured("systemd-analyze blame:\n" + before_us)


def test_a_lock_refuses_a_reboot_and_force_overrides_it(device: Machine) -> None:
    before, boots = device.boot_id, device.status["boots"]
    take_lock(device)
    answer = device.app_asks("POST", "/v1/reboot")
    assert "423" in answer.splitlines()[0]
    assert device.boot_id == before and device.container() is not None
    device.app_asks("POST", "/v1/reboot", {"force": True}, wait=False)
    device.wait_state("running", boots=boots + 1)
    device.wait_app()


def test_shutdown_really_powers_off(own_device: Machine) -> None:
    own_device.up()
    if not own_device.facts["packages"]:
        return
    own_device.wait_app()
    own_device.app_asks("POST", "/v1/shutdown", wait=False)
    own_device.wait_state("off")
    assert own_device.status["boots"] == 1


def test_the_host_name_changes_and_survives_a_reboot(device: Machine) -> None:
    boots = device.status["boots"]
    answer = device.app_asks("PATCH", "/v1/device/host-config", {"network": {"hostname": "kitchen"}})
    assert "200" in answer.splitlines()[0], answer
    assert device.sh("hostnamectl --static") == device.sh("hostname") == "kitchen"
    device.app_asks("POST", "/v1/reboot", wait=False)
    device.wait_state("running", boots=boots + 1)
    device.wait_pings()
    assert device.sh("hostnamectl --static") == device.sh("hostname") == "kitchen"
    assert device.api("GET", "/v1/device/host-config").json["network"]["hostname"] == "kitchen"
    assert device.api("PATCH", "/v1/device/host-config", {"network": {"hostname": "shared"}}).status == 200


def test_an_update_that_was_asked_for_is_made(device: Machine) -> None:
    first = device.wait_app()["Id"]
    device.app_asks("POST", "/v1/restart", {"appId": APP}, wait=False)
    wait_until(lambda: (device.container() or {}).get("Id") not in (None, first), 60, "the app has been made anew")
