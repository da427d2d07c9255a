"""tcp-ping against real listeners, silence, a resolver that hangs, and a VPN's status file."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness.plugin import Plugin, PluginFailure
from harness.processes import must
from harness.waiting import wait_until

CHANGED = "tcp-ping.changed"


@contextlib.contextmanager
def listening(port: int = 0, backlog: int = 64) -> Iterator[socket.socket]:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(backlog)
    with server:
        yield server


def target(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def accepted_within(server: socket.socket, seconds: float) -> int:
    """How many connections come in that time."""
    count, end = 0, time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        server.settimeout(left)
        with contextlib.suppress(TimeoutError):
            server.accept()[0].close()
            count += 1
    return count


def switches(pid: int) -> dict[str, int]:
    """How often each thread of the process has been woken, or has lost its processor."""
    count = {}
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        lines = [line for line in status.read_text().splitlines() if "ctxt_switches" in line]
        count[status.parent.name] = sum(int(line.split()[1]) for line in lines)
    return count


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def state(enabled: bool, connected: bool | None) -> dict[str, Any]:
    return {"enabled": enabled, "connected": connected}


def test_a_listener_that_goes_away_and_comes_back() -> None:
    with listening() as server:
        port = server.getsockname()[1]
        plugin = Plugin("tcp-ping", {"Target": target(server), "IntervalSec": "1", "TimeoutSec": "1"})
        with plugin:
            assert {operation["name"]: operation["idempotent"] for operation in plugin.about["operations"]} == {
                "tcp-ping.enable": True, "tcp-ping.disable": True, "tcp-ping.status": True,
            }
            assert plugin.call("tcp-ping.status") == state(False, None)
            assert accepted_within(server, 0.3) == 0
            assert plugin.call("tcp-ping.enable") == state(True, None)
            assert plugin.notification(CHANGED) == state(True, None)
            assert plugin.notification(CHANGED) == state(True, True)
            assert plugin.call("tcp-ping.enable") == plugin.call("tcp-ping.status") == state(True, True)
            assert accepted_within(server, 3.5) in (3, 4, 5)
            server.close()
            assert plugin.notification(CHANGED, 3) == state(True, False)
            with listening(port) as again:
                assert plugin.notification(CHANGED, 3) == state(True, True)
                assert plugin.call("tcp-ping.disable") == state(False, None)
                assert plugin.notification(CHANGED) == state(False, None)
                accepted_within(again, 0.1)
                assert accepted_within(again, 1.5) == 0
            # Nothing was told but the changes.
            with pytest.raises(TimeoutError):
                plugin.notification(CHANGED, 0)
            assert plugin.close() == 0


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
def test_names_and_ipv6_addresses(host: str) -> None:
    server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    with server, Plugin("tcp-ping", {"Target": f"{host}:{server.getsockname()[1]}"}) as plugin:
        plugin.call("tcp-ping.enable")
        wait_until(lambda: plugin.call("tcp-ping.status") == state(True, True), 3, "it is connected")


def test_the_second_address_is_tried_when_the_first_refuses() -> None:
    # localhost is ::1 first, where nobody listens.
    with listening() as server, Plugin("tcp-ping", {"Target": f"localhost:{server.getsockname()[1]}"}) as plugin:
        plugin.call("tcp-ping.enable")
        wait_until(lambda: plugin.call("tcp-ping.status") == state(True, True), 3, "it is connected")


@contextlib.contextmanager
def silence() -> Iterator[str]:
    """A port that answers nothing at all: its backlog is full."""
    with listening(backlog=0) as server, contextlib.ExitStack() as stack:
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        time.sleep(0.1)
        yield target(server)


@pytest.mark.alone
def test_silence_is_no_connection_after_the_time_out() -> None:
    with silence() as where, Plugin("tcp-ping", {"Target": where, "IntervalSec": "1", "TimeoutSec": "2"}) as plugin:
        begun = time.monotonic()
        plugin.call("tcp-ping.enable")
        assert plugin.notification(CHANGED) == state(True, None)
        assert plugin.call("plugin.ping") == {"ready": True}
        assert plugin.notification(CHANGED, 5) == state(True, False)
        assert 1.9 < time.monotonic() - begun < 2.6
        # An attempt under way does not hold up an end.
        begun = time.monotonic()
        assert plugin.close() == 0
        assert time.monotonic() - begun < 1


def test_a_disabled_one_gives_up_its_attempt_and_the_next_one_begins_at_once() -> None:
    with silence() as where, Plugin("tcp-ping", {"Target": where}) as plugin:
        plugin.call("tcp-ping.enable")
        sockets = lambda: [  # noqa: E731
            link for link in Path(f"/proc/{plugin.pid}/fd").iterdir() if os.readlink(link).startswith("socket:")
        ]
        wait_until(sockets, 3, "it connects")
        assert plugin.call("tcp-ping.disable") == state(False, None)
        wait_until(lambda: not sockets(), 2, "its socket is closed")
        plugin.call("tcp-ping.enable")
        wait_until(sockets, 2, "it connects again")


@pytest.fixture
def resolver(tmp_path: Path) -> Iterator[socket.socket]:
    """A resolver that takes questions and answers none."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.53\noptions timeout:3 attempts:2\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.53", 53))
        must(["mount", "--bind", conf, "/etc/resolv.conf"])
        try:
            yield server
        finally:
            must(["umount", "/etc/resolv.conf"])


@pytest.mark.alone
def test_a_resolver_that_hangs_costs_one_thread(resolver: socket.socket) -> None:
    settings = {"Target": "api.example.test:443", "IntervalSec": "1", "TimeoutSec": "1"}
    with Plugin("tcp-ping", settings) as plugin:
        begun = time.monotonic()
        plugin.call("tcp-ping.enable")
        assert plugin.notification(CHANGED) == state(True, None)
        assert plugin.notification(CHANGED, 4) == state(True, False)
        assert 0.9 < time.monotonic() - begun < 1.6
        before = threads(plugin.pid)
        # Attempts go by while the one query hangs.
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert plugin.call("plugin.ping", timeout=1) == {"ready": True}
            assert threads(plugin.pid) <= before
            time.sleep(0.1)
        resolver.setblocking(False)
        questions = []
        with contextlib.suppress(BlockingIOError):
            while True:
                questions.append(resolver.recv(512))
        # A and AAAA, twice for each of at most two queries.
        assert 2 <= len(questions) <= 8
        begun = time.monotonic()
        assert plugin.close() == 0
        assert time.monotonic() - begun < 1


@pytest.mark.parametrize("there", [True, False])
def test_the_vpn(tmp_path: Path, there: bool) -> None:
    status = tmp_path / "run" / "openvpn" / "vpn_status" / "active"
    if there:
        status.parent.mkdir(parents=True)
    with listening() as server:
        settings = {"Target": target(server), "IntervalSec": "1", "TimeoutSec": "1", "VPNStatus": str(status)}
        with Plugin("tcp-ping", settings) as plugin:
            plugin.call("tcp-ping.enable")
            assert plugin.notification(CHANGED) == state(True, None)
            assert plugin.notification(CHANGED) == state(True, True)
            server.close()
            assert plugin.notification(CHANGED, 3) == state(True, False)
            status.parent.mkdir(parents=True, exist_ok=True)
            status.touch()
            assert plugin.notification(CHANGED, 2) == state(True, True)
            with listening(int(settings["Target"].rpartition(":")[2])) as again:
                assert accepted_within(again, 1.5) == 0
            status.unlink()
            # Only the attempt that begins now shows that there is no connection.
            assert plugin.notification(CHANGED, 2) == state(True, False)
            away = status.parent.with_name("away")
            status.touch()
            assert plugin.notification(CHANGED, 2) == state(True, True)
            status.parent.rename(away)
            assert plugin.notification(CHANGED, 2) == state(True, False)
            away.rename(status.parent)
            assert plugin.notification(CHANGED, 2) == state(True, True)
            assert plugin.call("tcp-ping.disable") == state(False, True)


def test_a_vpn_that_is_up_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "active").touch()
    with listening() as server:
        with Plugin("tcp-ping", {"Target": target(server), "VPNStatus": str(tmp_path / "active")}) as plugin:
            assert plugin.call("tcp-ping.status") == state(False, True)
            assert plugin.call("tcp-ping.enable") == state(True, True)
            assert accepted_within(server, 0.5) == 0


@pytest.mark.parametrize("enabled", [False, True])
def test_no_wakeups_while_disabled_or_paused(tmp_path: Path, enabled: bool, measured: Callable[[str], None]) -> None:
    if enabled:
        (tmp_path / "active").touch()
    settings = {"Target": "127.0.0.1:9", "IntervalSec": "1", "VPNStatus": str(tmp_path / "active")}
    with Plugin("tcp-ping", settings) as plugin:
        plugin.call("tcp-ping.enable")
        if not enabled:
            plugin.call("tcp-ping.disable")
        # The runtime's own threads end when they have had nothing to do for five seconds.
        time.sleep(6)
        before = switches(plugin.pid)
        time.sleep(4)
        assert switches(plugin.pid) == before
        measured(f"tcp-ping {'paused' if enabled else 'disabled'}: {len(before)} threads, none woken in 4 s")


def test_without_a_target_it_says_so() -> None:
    with Plugin("tcp-ping", {"IntervalSec": "1"}) as plugin:
        assert plugin.call("tcp-ping.status") == plugin.call("tcp-ping.disable") == state(False, None)
        assert plugin.call("plugin.ping") == {"ready": False, "reason": "no Target is set in [Settings]"}
        with pytest.raises(PluginFailure, match="no Target is set") as failure:
            plugin.call("tcp-ping.enable")
        assert failure.value.reason == "not-supported"


@pytest.mark.parametrize(
    ("name", "value"),
    [("Target", "host"), ("Target", "::1:80"), ("IntervalSec", "0"), ("TimeoutSec", "x"), ("VPNStatus", "relative")],
)
def test_bad_settings_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(PluginFailure, match=name) as failure:
        Plugin("tcp-ping", {"Target": "127.0.0.1:1", name: value})
    assert failure.value.reason == "invalid-argument"
