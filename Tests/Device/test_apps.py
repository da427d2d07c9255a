"""An app with several services on a network of its own, on a whole machine."""

from __future__ import annotations

import json
from typing import Any, Callable, Iterator

import pytest

from harness.machine import APP, PORT, Machine, Neighbour, demo_target
from harness.proxied import PROXIED, World, microsocks
from harness.waiting import wait_until

#: curl's word for a connection that was refused.
REFUSED = 7
SERVICES = ("main", "helper")


def several_target() -> dict[str, Any]:
    """The demo app twice, as two services of one app; its network is not the one that is the engine's choice."""
    target = demo_target(commit="3" * 40)
    app = target["apps"][str(APP)]
    main = app["services"]["1"]
    del main["network_mode"]
    app["services"] = {
        "1": {**main, "networks": ["inside"], "depends_on": ["helper"]},
        "2": {**main, "serviceName": "helper", "imageId": 2, "networks": {"inside": {"aliases": ["aid"]}}},
    }
    app["networks"] = {"inside": {}}
    return target


@pytest.fixture
def several(device: Machine) -> Iterator[Machine]:
    device.write_target(several_target())
    wait_both(device)
    yield device
    device.write_target(demo_target())

    def is_back() -> bool:
        container = device.container()
        return container is not None and container["HostConfig"]["NetworkMode"] == "host"

    wait_until(is_back, 90, "the demo app runs as before")


def wait_both(device: Machine) -> None:
    def run() -> bool:
        containers = [device.container(name) for name in SERVICES]
        return all(each and each["HostConfig"]["NetworkMode"] == f"{APP}_inside" for each in containers)

    wait_until(run, 90, "both services run on the app's network")


def check(device: Machine) -> str:
    """Both reach each other and the API; returns the gateway of their network."""
    network = json.loads(device.sh(f"docker network inspect {APP}_inside"))[0]
    assert network["Options"]["com.docker.network.bridge.name"] == "supervisor0"
    gateway = network["IPAM"]["Config"][0]["Gateway"]
    for name in SERVICES:
        assert device.in_app('echo "$RESIN_SUPERVISOR_HOST"', name) == gateway
        assert device.app_asks("GET", "/ping", service=name).endswith("\n\nOK")
    wait_until(lambda: "app" in device.in_app("wget -qO- http://aid:8080/"), 20, "they find each other by name")
    listening = device.sh(f"ss -Hltn 'sport = :{PORT}'")
    assert "%supervisor0:" in listening, listening
    return gateway


def test_an_app_of_two_services_runs_after_a_reboot_as_before(
    several: Machine, neighbour: Callable[[str], Neighbour], measured: Callable[[str], None]
) -> None:
    device = several
    gateway = check(device)
    before = {name: device.wait_app(service=name)["Id"] for name in SERVICES}
    boots = device.status["boots"]
    device.app_asks("POST", "/v1/reboot", wait=False)
    device.wait_state("running", boots=boots + 1)
    device.wait_pings()
    wait_both(device)
    assert check(device) == gateway
    assert {name: device.wait_app(service=name)["Id"] for name in SERVICES} == before, "the containers of before"

    # The port is open on the bridge for those on it, and not for those who come from elsewhere to its address.
    outsider = neighbour("outsider")
    outsider.ip("route", "add", gateway, "via", device.facts["address"])
    assert outsider.curl(f"http://{gateway}:{PORT}/ping").error == REFUSED


def test_the_proxy_carries_an_apps_own_network(world: World) -> None:
    """The rules go by the bridge's name."""
    device = world.device
    device.write_target(several_target())
    wait_both(device)
    own = device.facts["address"]
    assert world.app_seen_as(PROXIED) == own
    microsocks(world)
    world.set(type="socks5", ip=world.proxy.address, port=1080)
    assert world.app_seen_as(PROXIED) == world.proxy.address
    assert device.app_asks("GET", "/ping").endswith("\n\nOK"), "what is the device's own is not proxied"
    world.set()
    assert world.app_seen_as(PROXIED) == own
