"""Who reaches the API: the host and its apps, and nobody outside."""

from __future__ import annotations

from typing import Callable

import pytest

from harness.machine import PORT, Machine, Neighbour

#: curl's word for a connection that was refused.
REFUSED = 7


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "172.17.0.1"])
def test_the_api_answers_on_lo_and_on_the_bridge(device: Machine, host: str) -> None:
    answer = device.api("GET", "/ping", host=host)
    assert (answer.status, answer.body) == (200, "OK")


def test_an_app_on_the_hosts_network_asks(device: Machine) -> None:
    assert device.app_asks("GET", "/ping").endswith("\n\nOK")


def test_an_app_on_the_bridge_asks(bridged: Machine) -> None:
    assert bridged.in_app('echo "$RESIN_SUPERVISOR_HOST"') == "172.17.0.1"
    assert bridged.app_asks("GET", "/ping").endswith("\n\nOK")


def test_the_port_is_closed_from_outside(device: Machine, neighbour: Callable[[str], Neighbour]) -> None:
    outsider = neighbour("outsider")
    address, address6 = device.facts["address"], device.facts["address6"]
    # The way is there: the demo app's page answers.
    assert outsider.curl(f"http://{address}:8080/").status == 200
    assert outsider.curl(f"http://{address}:{PORT}/ping").error == REFUSED
    assert outsider.curl(f"http://[{address6}]:{PORT}/ping").error == REFUSED
    link_local = device.sh("ip -6 -br address show host0 scope link | awk '{ print $3 }' | cut -d/ -f1")
    assert outsider.curl(f"http://[{link_local}%25eth0]:{PORT}/ping").error == REFUSED


def test_the_bridges_address_is_closed_to_a_neighbour_that_routes_to_it(
    device: Machine, neighbour: Callable[[str], Neighbour]
) -> None:
    outsider = neighbour("outsider")
    outsider.ip("route", "add", "172.17.0.0/16", "via", device.facts["address"])
    assert outsider.curl("http://172.17.0.1:8080/").status == 200
    assert outsider.curl(f"http://172.17.0.1:{PORT}/ping").error == REFUSED
    outsider.ip("route", "add", "127.0.0.0/8", "via", device.facts["address"], "table", "main")
    assert outsider.curl(f"http://127.0.0.1:{PORT}/ping").error == REFUSED


def test_what_listens_is_bound_to_an_interface(device: Machine) -> None:
    listening = device.sh(f"ss -Hltn 'sport = :{PORT}'")
    addresses = [line.split()[3] for line in listening.splitlines()]
    assert {address.split("%")[1].split(":")[0].rstrip("]") for address in addresses} == {"lo", "docker0"}
