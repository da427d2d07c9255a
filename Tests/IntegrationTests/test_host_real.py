"""The whole way: HTTP, core, socket, plugin, and the real service behind it. The core is an unprivileged user throughout."""

from __future__ import annotations

import concurrent.futures
import json
import os
import socket
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import target
from harness.answers import is_empty, is_error_object, is_text
from harness.bus import SystemBus
from harness.engine import Engine
from harness.paths import SANDBOX_ROOT
from harness.plugins import OPERATIONS, Plugins, executable
from harness.redsocks import SOCKS, Microsocks, Redirect, RedsocksService, Server, ask
from harness.supervisor import Supervisor, User
from harness.waiting import stays, wait_until


class Listener:
    """Where the heartbeat connects to; can go away and come back."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.server: socket.socket | None = None
        self.up()

    def up(self) -> None:
        self.server = socket.create_server(("127.0.0.1", self.port), reuse_port=True, backlog=64)

    def down(self) -> None:
        if self.server:
            self.server.close()
        self.server = None


class RealHost:
    """A device with all six plugins, each started through its socket as root's, as their units start them."""

    def __init__(self, root: Path, engine: Engine, user: User, bus: SystemBus) -> None:
        self.bus = bus
        self.supervisor = Supervisor(root, engine, user)
        self.plugins = Plugins(self.supervisor)
        self.listener = Listener()
        self.redsocks = RedsocksService(root / "redsocks", bus)
        self.led = root / "led"
        self.led.mkdir()
        for name, text in (("brightness", "1"), ("max_brightness", "255"), ("trigger", "none [heartbeat] timer")):
            (self.led / name).write_text(text + "\n")
        settings: dict[str, dict[str, str]] = {
            "redsocks": self.redsocks.settings,
            "led": {"Path": str(self.led), "StateFile": str(root / "led-former")},
            "tcp-ping": {"Target": f"127.0.0.1:{self.listener.port}", "IntervalSec": "1"},
            "storage": {"DataDirectory": str(self.supervisor.data), "LockDirectory": str(self.supervisor.locks)},
        }
        for name, operations in OPERATIONS.items():
            path = self.plugins.root / f"{name}.sock"
            self.plugins.activate(path, [executable(name)])
            lifecycle = "persistent" if name == "tcp-ping" else "on-demand"
            self.plugins.manifest(
                name, operations, socket=path, settings=settings.get(name), Lifecycle=lifecycle, CallTimeoutSec=60
            )
        self.supervisor.write_target(target.app())
        self.supervisor.start()
        self.supervisor.wait_settled(release="a")

    def patch(self, network: dict[str, Any]) -> Any:
        return self.supervisor.api("PATCH", "/v1/device/host-config", {"network": network}, timeout=60)

    def network(self) -> Any:
        answer = self.supervisor.api("GET", "/v1/device/host-config")
        assert answer.status == 200, answer
        return answer.json["network"]

    def restarts(self) -> int:
        return sum(call[0] == "RestartUnit" for call in self.bus.calls)

    def dispose(self) -> None:
        print(self.supervisor.log[-8000:])
        for activation in self.plugins.activations:
            print(activation.process.log[-1500:])
        self.plugins.dispose()
        self.supervisor.dispose()
        self.listener.down()
        self.redsocks.stop()


@pytest.fixture(scope="module")
def bus() -> Iterator[SystemBus]:
    with SystemBus(SANDBOX_ROOT / "real-bus", hostname="before") as bus:
        bus.start_logind()
        former = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS")
        os.environ.update(bus.environment)
        yield bus
        if former is None:
            del os.environ["DBUS_SYSTEM_BUS_ADDRESS"]


@pytest.fixture(scope="module")
def host(shared_engine: Engine, shared_device: Any, user: User, bus: SystemBus) -> Iterator[RealHost]:
    shared_device.end()
    shared_engine.remove_all()
    host = RealHost(SANDBOX_ROOT / "real", shared_engine, user, bus)
    yield host
    host.dispose()


# ---- host name


def test_the_host_name_is_set_in_the_real_hostnamed(host: RealHost) -> None:
    is_text(host.patch({"hostname": "kiosk-17"}), 200, "OK")
    assert host.bus.host.etc_hostname == "kiosk-17"
    assert host.bus.host.kernel_hostname == "kiosk-17"
    assert host.network()["hostname"] == "kiosk-17"


def test_a_cleared_host_name_is_the_start_of_the_uuid(host: RealHost) -> None:
    uuid = json.loads((host.supervisor.state / "identity.json").read_text())["uuid"]
    is_text(host.patch({"hostname": None}), 200, "OK")
    assert host.bus.host.etc_hostname == uuid[:7]


def test_a_read_only_etc_is_said_in_words(host: RealHost) -> None:
    host.bus.host.set_etc_read_only(True)
    try:
        answer = host.patch({"hostname": "never"})
        assert answer.status == 503 and "read-only" in answer.text, answer
    finally:
        host.bus.host.set_etc_read_only(False)
    assert host.bus.host.etc_hostname != "never"


# ---- proxy


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Tells who came; connections to it go into redsocks."""
    server, redirect = Server(), Redirect()
    yield server
    redirect.remove()
    server.stop()


@pytest.fixture
def traffic(host: RealHost, server: Server) -> Iterator[Microsocks]:
    """A real SOCKS proxy that wants a password."""
    upstream = Microsocks(host.redsocks.root, login="joe", password="hunter2-secret")
    yield upstream
    upstream.stop()
    is_text(host.patch({"proxy": None}), 200, "OK")


def test_a_proxy_of_the_api_carries_real_traffic_and_is_gone_when_cleared(host: RealHost, traffic: Microsocks) -> None:
    settings = {"type": "socks5", "ip": "127.0.0.1", "port": traffic.port, "login": "joe", "password": "hunter2-secret"}
    is_text(host.patch({"proxy": settings}), 200, "OK")
    assert ask() == SOCKS.encode() + b"\n"
    assert host.network()["proxy"] == {
        "ip": "127.0.0.1", "port": str(traffic.port), "type": "socks5", "login": "joe", "password": "hunter2-secret"
    }

    before = host.restarts()
    is_text(host.patch({"proxy": settings}), 200, "OK")
    is_text(host.patch({"proxy": {"port": str(traffic.port)}}), 200, "OK")
    assert host.restarts() == before, "nothing changed, and something was restarted"

    is_text(host.patch({"proxy": {"noProxy": ["10.9.8.7", "10.0.0.0/9"]}}), 200, "OK")
    assert host.redsocks.no_proxy.read_text().split() == ["10.9.8.7", "10.0.0.0/9"]
    assert ask() == SOCKS.encode() + b"\n"

    is_text(host.patch({"proxy": {}}), 200, "OK")
    assert host.network()["proxy"] is None
    assert not host.redsocks.config.exists() and not host.redsocks.no_proxy.exists()


def test_a_service_that_refuses_to_start_is_rolled_back(host: RealHost, traffic: Microsocks) -> None:
    good = {"type": "socks5", "ip": "127.0.0.1", "port": traffic.port, "login": "joe", "password": "hunter2-secret"}
    is_text(host.patch({"proxy": good}), 200, "OK")
    file = host.redsocks.config.read_bytes()
    # The new file is refused, the former one is not.
    host.redsocks.before_start.write_text(f"grep -q 10.11.12.13 {host.redsocks.config} && exit 1\n")
    answer = host.patch({"proxy": {"ip": "10.11.12.13"}, "hostname": "not-this-one"})
    host.redsocks.before_start.unlink()
    assert answer.status == 503, answer
    assert "hunter2" not in answer.text
    assert host.redsocks.config.read_bytes() == file
    assert host.network()["proxy"]["ip"] == "127.0.0.1"
    assert host.network()["hostname"] != "not-this-one"
    assert ask() == SOCKS.encode() + b"\n", "the former proxy works"


def test_two_patches_at_once_lose_nothing(host: RealHost, traffic: Microsocks) -> None:
    is_text(host.patch({"proxy": {"type": "socks5", "ip": "127.0.0.1", "port": traffic.port}}), 200, "OK")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(
            pool.map(
                host.patch,
                [{"proxy": {"login": "joe", "password": "hunter2-secret"}}, {"proxy": {"noProxy": ["10.1.1.1"]}}],
            )
        )
    assert [answer.status for answer in answers] == [200, 200]
    proxy = host.network()["proxy"]
    assert (proxy["login"], proxy["password"], proxy["noProxy"]) == ("joe", "hunter2-secret", ["10.1.1.1"])
    assert ask() == SOCKS.encode() + b"\n"


@pytest.mark.parametrize(
    "proxy, member",
    [
        ({"type": "socks5", "ip": 'a";\n}\nbase { log_info = on;', "port": 1}, "ip"),
        ({"type": "socks5", "ip": "10.0.0.1", "port": 1, "password": "x\n}"}, "password"),
        ({"type": "socks5", "ip": "010.0.0.1", "port": 1}, "ip"),
        ({"type": "socks5", "ip": "10.0.0.1", "port": "0x50"}, "port"),
        ({"type": "socks5", "ip": "10.0.0.1", "port": 1, "noProxy": ["10.0.0.1\n0.0.0.0/0"]}, "noProxy"),
    ],
)
def test_an_injection_changes_no_file(host: RealHost, proxy: dict[str, Any], member: str) -> None:
    before, restarts = sorted(host.redsocks.folder.glob("*")), host.restarts()
    answer = host.patch({"proxy": proxy})
    is_text(answer, 400)
    assert member in answer.text
    assert sorted(host.redsocks.folder.glob("*")) == before and host.restarts() == restarts


# ---- LED


def test_the_led_blinks_and_is_as_it_was(host: RealHost) -> None:
    status, text = host.plugins.call("led.blink", {"durationMs": 700})
    assert status == 0, text
    seen = set()
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        seen.add((host.led / "brightness").read_text().strip())
        time.sleep(0.01)
    assert {"0", "255"} <= seen
    wait_until(lambda: (host.led / "trigger").read_text().strip() == "heartbeat", 5, "the trigger is back")
    is_empty(host.supervisor.api("POST", "/v1/blink"), 200)


# ---- connectivity


def test_connectivity_follows_the_listener(host: RealHost) -> None:
    def connected() -> Any:
        return host.supervisor.device()["connectivity"]

    wait_until(lambda: connected() == {"enabled": True, "connected": True}, 15, "connected")
    host.listener.down()
    wait_until(lambda: connected() == {"enabled": True, "connected": False}, 15, "the listener is away")
    host.listener.up()
    wait_until(lambda: connected() == {"enabled": True, "connected": True}, 15, "and back")
    is_empty(host.supervisor.api("DELETE", "/v1/tcp-ping"), 204)
    wait_until(lambda: connected()["enabled"] is False, 5, "switched off")
    is_empty(host.supervisor.api("POST", "/v1/tcp-ping"), 204)
    wait_until(lambda: connected() == {"enabled": True, "connected": True}, 15, "and on")


# ---- storage


def test_a_purge_removes_what_belongs_to_root(host: RealHost) -> None:
    supervisor = host.supervisor
    container = supervisor.settled()["Id"]
    supervisor.engine.shell(
        container,
        "mkdir -p /data/a/b /data/closed; echo x > /data/a/b/file; ln -s /etc/passwd /data/link; chmod 000 /data/closed",
    )
    canary = supervisor.root / "canary"
    canary.write_text("untouched")
    (supervisor.data_folder() / "out").symlink_to(canary)
    answer = supervisor.api("POST", "/v1/purge", {"appId": target.APP})
    assert answer.status == 200, answer

    def reaped() -> bool:
        return not [name for name in os.listdir(supervisor.data) if name.startswith(".purge")]

    wait_until(reaped, 15, "what was purged is gone")
    assert os.listdir(supervisor.data_folder()) == []
    assert canary.read_text() == "untouched"
    supervisor.wait_settled(release="a")


# ---- power; last, because the device goes down


def test_an_inhibitor_refuses_the_reboot_by_name_and_the_app_runs_again(host: RealHost) -> None:
    held = host.bus.inhibit(who="apt", why="Upgrading packages")
    try:
        answer = host.supervisor.api("POST", "/v1/reboot", timeout=60)
    finally:
        os.close(held)
    is_error_object(answer, 503)
    assert "apt" in answer.json["Error"] and "Upgrading packages" in answer.json["Error"], answer
    host.supervisor.wait_settled(release="a")
    assert not [call for call in host.bus.calls if call[0] == "StartUnit"]


def test_logind_that_is_away_is_a_503_and_the_app_runs_again(host: RealHost) -> None:
    host.bus.stop_logind()
    answer = host.supervisor.api("POST", "/v1/reboot", timeout=60)
    is_error_object(answer, 503)
    host.supervisor.wait_settled(release="a")
    host.bus.start_logind()


def test_a_bus_that_is_away_is_a_503_and_the_app_runs_again(host: RealHost) -> None:
    host.bus.stop()
    try:
        answer = host.supervisor.api("POST", "/v1/reboot", timeout=60)
        is_error_object(answer, 503)
        host.supervisor.wait_settled(release="a")
    finally:
        host.bus.start()
        host.bus.start_logind()
    # The plugin finds the bus again by itself.
    assert host.plugins.call("power.status") == (0, '{"preparing":"none"}\n')


def test_a_reboot_reaches_systemd_after_the_apps_are_stopped(host: RealHost) -> None:
    supervisor = host.supervisor
    answer = supervisor.api("POST", "/v1/reboot", timeout=60)
    assert (answer.status, answer.body) == (202, b'{"Data":"OK","Error":""}')
    wait_until(lambda: [call for call in host.bus.calls if call[0] == "StartUnit"], 10, "systemd was asked")
    started = [call for call in host.bus.calls if call[0] == "StartUnit"]
    assert started == [["StartUnit", "reboot.target", "replace-irreversibly"]]
    stays(lambda: not supervisor.engine.containers(all=False), 2, "nothing runs while the device goes down")
    # Once more is the same reboot.
    assert supervisor.api("POST", "/v1/reboot", timeout=60).status == 202
    assert supervisor.api("POST", "/v1/shutdown", timeout=60).status == 423
    assert len([call for call in host.bus.calls if call[0] == "StartUnit"]) == 1
