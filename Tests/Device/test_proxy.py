"""The transparent proxy with real parts: redsocks on the device, real proxies and servers in namespaces beside it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Callable

from harness.machine import Neighbour
from harness.proxied import DIRECT, PROXIED, World, microsocks
from harness.waiting import wait_until


def test_a_proxy_carries_host_and_apps_survives_a_reboot_and_goes(world: World) -> None:
    device, own = world.device, world.device.facts["address"]
    microsocks(world)
    world.set(type="socks5", ip=world.proxy.address, port=1080, noProxy=["46.0.0.0/24"])
    for seen_as in (world.host_seen_as, world.app_seen_as):
        assert seen_as(PROXIED) == world.proxy.address
        assert seen_as(DIRECT) == own
    # Reserved addresses are not proxied either: the server's own.
    assert world.host_seen_as(world.server.address) == own

    boots = device.status["boots"]
    device.app_asks("POST", "/v1/reboot", wait=False)
    device.wait_state("running", boots=boots + 1)
    device.wait_app()
    for seen_as in (world.host_seen_as, world.app_seen_as):
        assert seen_as(PROXIED) == world.proxy.address
        assert seen_as(DIRECT) == own
    shown = device.api("GET", "/v1/device/host-config").json["network"]["proxy"]
    assert shown == {"ip": world.proxy.address, "port": "1080", "type": "socks5", "noProxy": ["46.0.0.0/24"]}

    world.set()
    assert device.api("GET", "/v1/device/host-config").json["network"]["proxy"] is None
    for seen_as in (world.host_seen_as, world.app_seen_as):
        assert seen_as(PROXIED) == own
    assert "supervisor" not in device.sh("nft list tables")


def test_redsocks_port_is_closed_to_everybody_else(world: World, neighbour: Callable[[str], Neighbour]) -> None:
    device = world.device
    microsocks(world)
    world.set(type="socks5", ip=world.proxy.address, port=1080)
    port = device.sh("ss -Hltnp | grep redsocks | awk '{ print $4 }' | sed 's/.*://'")
    assert port
    outsider = neighbour("outsider")
    outsider.ip("route", "add", "172.17.0.0/16", "via", device.facts["address"])
    # Where the engine had to switch forwarding on itself, it closes the way from outside to its bridge.
    device.sh("iptables -I DOCKER-USER -j ACCEPT")
    try:
        # The way is there: the app's page answers.
        assert outsider.curl(f"http://{device.wait_app()['NetworkSettings']['IPAddress']}:8080/").status == 200
        assert outsider.curl(f"http://{device.facts['address']}:{port}/").error == 7
        assert outsider.curl(f"http://172.17.0.1:{port}/").error == 7
    finally:
        device.sh("iptables -D DOCKER-USER -j ACCEPT")
    assert device.run("curl", "-s", "-m", "3", f"http://127.0.0.1:{port}/").status == 7
    asked = f"busybox timeout 3 wget -qO- http://172.17.0.1:{port}/"
    assert device.in_app(f"{asked} 2>&1 || echo refused").endswith("refused")


def test_killed_redsocks_comes_back_with_its_rules(world: World) -> None:
    microsocks(world)
    world.set(type="socks5", ip=world.proxy.address, port=1080)
    assert world.is_proxied()
    world.device.sh("systemctl kill -s KILL redsocks")
    wait_until(lambda: world.device.show("redsocks", "NRestarts") != "0", 20, "redsocks was started again")
    wait_until(world.is_proxied, 20, "traffic goes through the proxy again")


def test_credentials_reach_the_proxy_and_nobody_else(world: World) -> None:
    login, password = "us er", 'p"a\\#;s'
    microsocks(world, "-u", login, "-P", password)
    world.set(type="socks5", ip=world.proxy.address, port=1080, login=login, password=password)
    assert world.is_proxied()
    device = world.device
    assert password not in device.journal("-b")
    assert password not in device.sh("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' '; true")
    readable = "find /etc /run /var/lib/device-supervisor -xdev -type f -perm -004 2>/dev/null"
    assert device.sh(f"{readable} | xargs -r grep -lF {shlex.quote(login)} || true") == ""


def test_tinyproxy_carries_http_connect(world: World, tmp_path: Path) -> None:
    configuration = tmp_path / "tinyproxy.conf"
    configuration.write_text("Port 8888\nListen 0.0.0.0\nTimeout 30\nMaxClients 20\n")
    world.proxy.start("tinyproxy", "-d", "-c", str(configuration))
    wait_until(lambda: world.proxy.run("ss", "-Hltn", "sport = :8888").out, 10, "the proxy listens")
    world.set(type="http-connect", ip=world.proxy.address, port=8888)
    assert world.is_proxied()


def test_a_proxy_that_redsocks_refuses_leaves_the_one_in_force(world: World) -> None:
    microsocks(world)
    world.set(type="socks5", ip=world.proxy.address, port=1080)
    bad = {"type": "socks5", "ip": "no.such.host.invalid", "port": 1080}
    answer = world.device.api("PATCH", "/v1/device/host-config", {"network": {"proxy": bad}}, seconds=60)
    assert answer.status in (400, 500, 503, 504)
    assert world.is_proxied()
    assert world.device.api("GET", "/v1/device/host-config").json["network"]["proxy"]["ip"] == world.proxy.address
