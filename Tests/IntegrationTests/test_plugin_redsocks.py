"""The plugin redsocks with the real redsocks, restarted over a real bus, and real proxies behind it."""

from __future__ import annotations

import itertools
import os
import random
import socket
import stat
import time
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest

from harness import redsocks
from harness.bus import SystemBus
from harness.paths import SANDBOX_ROOT
from harness.plugin import Plugin, PluginFailure
from harness.processes import must, run
from harness.redsocks import (
    AS_NOBODY,
    HTTP,
    PORT,
    PROXY_USER,
    SOCKS,
    SOCKS4,
    Microsocks,
    Redirect,
    RedsocksService,
    Server,
    Socks4Recorder,
    Tinyproxy,
    ask,
)
from harness.waiting import wait_until

SECRET = "hunter2-secret"
_serial = itertools.count(1)


@pytest.fixture(scope="module")
def bus() -> Iterator[SystemBus]:
    with SystemBus(SANDBOX_ROOT / "redsocks-bus") as bus:
        yield bus


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server, redirect = Server(), Redirect()
    yield server
    redirect.remove()
    server.stop()


@pytest.fixture
def service(bus: SystemBus) -> Iterator[RedsocksService]:
    bus.calls_file.unlink(missing_ok=True)
    service = RedsocksService(SANDBOX_ROOT / f"redsocks{next(_serial)}", bus)
    yield service
    print(f"--- redsocks\n{service.log[-4000:]}")
    service.stop()


def start(service: RedsocksService, *, settings: dict[str, str] | None = None, wrap: Sequence[str] = ()) -> Plugin:
    return Plugin("redsocks", {**service.settings, **(settings or {})}, service.bus.environment, wrap=wrap)


@pytest.fixture
def plugin(service: RedsocksService) -> Iterator[Plugin]:
    with start(service) as plugin:
        yield plugin


def proxy(port: int, kind: str = "socks5", **more: Any) -> dict[str, Any]:
    return {"type": kind, "ip": "127.0.0.1", "port": port, **more}


def assert_only_files(service: RedsocksService) -> None:
    assert set(service.files) <= {"redsocks.conf", "no_proxy"}, "a temporary is left"


# ---- traffic


@pytest.mark.parametrize(
    "credentials",
    [{}, {"login": "joe", "password": SECRET}, {"login": "us er", "password": "p#a;s\\\" }//"}],
    ids=["without", "with", "odd"],
)
def test_a_client_goes_through_socks5(
    service: RedsocksService, plugin: Plugin, server: Server, credentials: dict[str, str]
) -> None:
    upstream = Microsocks(service.root, **credentials)
    try:
        plugin.call("proxy.set", proxy(upstream.port, **credentials))
        assert ask() == SOCKS.encode() + b"\n"
        assert plugin.call("proxy.get") == proxy(upstream.port, **credentials)
    finally:
        upstream.stop()


@pytest.mark.parametrize("credentials", [{}, {"login": "joe", "password": "abc123"}], ids=["without", "with"])
def test_a_client_goes_through_http_connect(
    service: RedsocksService, plugin: Plugin, server: Server, credentials: dict[str, str]
) -> None:
    upstream = Tinyproxy(service.root, **credentials)
    try:
        plugin.call("proxy.set", proxy(upstream.port, "http-connect", **credentials))
        assert ask() == HTTP.encode() + b"\n"
    finally:
        upstream.stop()


@pytest.mark.parametrize("kind", ["socks5", "http-connect"])
def test_a_wrong_password_opens_no_connection(
    service: RedsocksService, plugin: Plugin, server: Server, kind: str
) -> None:
    make = Microsocks if kind == "socks5" else Tinyproxy
    upstream = make(service.root, login="joe", password="right1")
    try:
        plugin.call("proxy.set", proxy(upstream.port, kind, login="joe", password="wrong1"))
        before = len(server.peers)
        assert ask() == b""
        assert len(server.peers) == before, "the server was reached"
        # The same with the right one: it was the password.
        plugin.call("proxy.set", proxy(upstream.port, kind, login="joe", password="right1"))
        assert ask() in (f"{SOCKS}\n".encode(), f"{HTTP}\n".encode())
    finally:
        upstream.stop()


def test_http_goes_through_http_relay(service: RedsocksService, plugin: Plugin, server: Server) -> None:
    upstream = Tinyproxy(service.root)
    try:
        plugin.call("proxy.set", proxy(upstream.port, "http-relay"))
        host = f"{redsocks.SERVER[0]}:{redsocks.SERVER[1]}"
        answer = ask(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        assert answer.endswith(HTTP.encode()), answer
    finally:
        upstream.stop()


def test_socks4_is_spoken_with_the_login_as_user_id(service: RedsocksService, plugin: Plugin, server: Server) -> None:
    upstream = Socks4Recorder()
    try:
        plugin.call("proxy.set", proxy(upstream.port, "socks4", login="us;er"))
        assert ask() == f"127.0.0.77:7000 by {SOCKS4}\n".encode()
        assert upstream.users == [b"us;er"]
    finally:
        upstream.stop()


def test_clear_ends_the_way_through_the_proxy(service: RedsocksService, plugin: Plugin, server: Server) -> None:
    upstream = Microsocks(service.root)
    try:
        plugin.call("proxy.set", proxy(upstream.port, noProxy=["10.0.0.0/8"]))
        assert ask() == SOCKS.encode() + b"\n"
        assert plugin.call("proxy.clear") == {}
        assert service.pid is None and service.files == {}
        assert plugin.call("proxy.get") == {}
        with pytest.raises(ConnectionRefusedError):
            ask()
        restarts = service.restarts
        plugin.call("proxy.clear")
        assert service.restarts == restarts
    finally:
        upstream.stop()


# ---- files


def test_the_files_hold_what_was_set_and_nobody_else_reads_them(service: RedsocksService, plugin: Plugin) -> None:
    plugin.call("proxy.set", proxy(1080, login="joe", password=SECRET, noProxy=["152.10.30.4", "253.1.1.0/16"]))
    assert service.no_proxy.read_text() == "152.10.30.4\n253.1.1.0/16\n"
    group = int(must(["id", "-g", "redsocks"]))
    for path in (service.config, service.no_proxy):
        status = path.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, 0, group), path
    assert stat.S_IMODE(service.folder.stat().st_mode) == 0o750
    status_file = Path(f"/proc/{service.pid}/status").read_text()
    uid = must(["id", "-u", "redsocks"]).strip()
    assert f"Uid:\t{uid}\t" in status_file, "redsocks did not drop its privileges"
    assert_only_files(service)


def test_without_privileges_the_files_are_the_plugins_own(service: RedsocksService) -> None:
    service.folder.mkdir()
    os.chown(service.folder, PROXY_USER, PROXY_USER)
    with start(service, wrap=AS_NOBODY) as plugin:
        plugin.call("proxy.set", proxy(1080, login="joe", password=SECRET))
        status = service.config.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, PROXY_USER)
        assert plugin.call("proxy.get") == proxy(1080, login="joe", password=SECRET)


RESIN_OS = """base { log_debug = off; log_info = on; log = stderr; daemon = off;
  user = redsocks; group = redsocks; redirector = iptables; }
redsocks { /* by hand */ type = http-connect; ip = 192.168.0.199;
  port = 8123; local_ip = 127.0.0.1; local_port = 12345; login = user; // not "root"
  password = "a\\"b"; }
"""


def test_files_that_others_wrote_are_read_and_left_alone(service: RedsocksService, plugin: Plugin) -> None:
    service.folder.mkdir()
    service.config.write_text(RESIN_OS)
    service.no_proxy.write_text("# ours\n10.0.0.0/8\n\n 1.2.3.4 # a server\n")
    must([service.job])
    before, pid = service.files, service.pid
    expected = {
        "type": "http-connect", "ip": "192.168.0.199", "port": 8123, "login": "user", "password": 'a"b',
        "noProxy": ["10.0.0.0/8", "1.2.3.4"],
    }  # fmt: skip
    assert plugin.call("proxy.get") == expected
    plugin.call("proxy.set", expected)
    assert (service.files, service.pid, service.restarts) == (before, pid, 0)


def test_a_broken_file_is_told_without_its_values_and_can_be_replaced(
    service: RedsocksService, plugin: Plugin
) -> None:
    service.folder.mkdir()
    service.config.write_text(f'redsocks {{\n\tlogin = "{SECRET}";\n\tpassword = "{SECRET}"\n}}\n')
    with pytest.raises(PluginFailure) as failure:
        plugin.call("proxy.get")
    assert (failure.value.code, failure.value.reason) == (-32000, "failed")
    assert f"{service.config}, line 4" in failure.value.message and SECRET not in str(vars(failure.value))
    plugin.call("proxy.set", proxy(1080))
    assert plugin.call("proxy.get") == proxy(1080)


BAD = [
    ("type", "socks6"), ("type", None), ("ip", "010.0.0.1"), ("ip", "1.2.3.4\n"), ("ip", "a; }"), ("ip", "127.1"), ("ip", "::1"),
    ("port", 0), ("port", 65536), ("port", "0x10"), ("login", "a\nb"), ("login", "{"), ("password", "//"), ("password", "x" * 256),
    ("password", 'a"; }\nredudp {'), ("noProxy", ["a"]), ("noProxy", ["1.2.3.4/33"]), ("noProxy", "1.2.3.4"),
]  # fmt: skip


def test_dns_is_refused_by_the_redsocks_of_debian_and_nothing_changes(
    service: RedsocksService, plugin: Plugin
) -> None:
    plugin.call("proxy.set", proxy(1080))
    before, pid, restarts = service.files, service.pid, service.restarts
    for value in (True, "9.9.9.9:53"):
        with pytest.raises(PluginFailure) as failure:
            plugin.call("proxy.set", proxy(1080, dns=value))
        assert failure.value.reason == "invalid-argument"
        assert failure.value.message.startswith("dns is wrong, allowed: false"), failure.value.message
    assert (service.files, service.pid, service.restarts) == (before, pid, restarts)
    plugin.call("proxy.set", proxy(1080, dns=False))
    assert service.restarts == restarts


def test_a_section_by_hand_is_kept_and_redsocks_runs_with_it(service: RedsocksService, plugin: Plugin) -> None:
    hand = "redsocks { /* by hand */ local_ip = 127.0.0.1; local_port = 12399; ip = 127.0.0.1; port = 9; type = socks4; }"
    service.folder.mkdir()
    service.config.write_text(f"{RESIN_OS}{hand}\n")
    plugin.call("proxy.set", proxy(1080))
    assert hand in service.config.read_text() and service.pid
    with socket.create_connection(("127.0.0.1", 12399), 5):
        pass
    plugin.call("proxy.clear")
    assert plugin.call("proxy.get") == {} and service.pid is None
    plugin.call("proxy.set", proxy(1081))
    assert hand in service.config.read_text() and plugin.call("proxy.get") == proxy(1081)
    assert_only_files(service)


def test_nothing_changes_for_a_bad_value(service: RedsocksService, plugin: Plugin) -> None:
    plugin.call("proxy.set", proxy(1080, password=SECRET, login="joe"))
    before, pid, restarts = service.files, service.pid, service.restarts
    for member, value in BAD:
        with pytest.raises(PluginFailure) as failure:
            plugin.call("proxy.set", {**proxy(1081), member: value})
        assert failure.value.reason == "invalid-argument", (member, value)
        assert failure.value.message.startswith(member), failure.value.message
    assert (service.files, service.pid, service.restarts) == (before, pid, restarts)


# ---- restarts


def test_a_change_restarts_redsocks_and_no_change_does_not(service: RedsocksService, plugin: Plugin) -> None:
    plugin.call("proxy.set", proxy(1080))
    first = service.pid
    assert first and service.restarts == 1
    plugin.call("proxy.set", proxy(1080))
    assert (service.pid, service.restarts) == (first, 1)
    plugin.call("proxy.set", proxy(1080, noProxy=["10.0.0.0/8"]))
    second = service.pid
    assert second and second != first and service.restarts == 2
    service.stop()
    plugin.call("proxy.set", proxy(1080, noProxy=["10.0.0.0/8"]))
    assert service.pid and service.restarts == 3


def test_redsocks_that_does_not_come_up_leaves_the_first_state(service: RedsocksService, plugin: Plugin) -> None:
    with socket.create_server(("0.0.0.0", PORT)):
        with pytest.raises(PluginFailure) as failure:
            plugin.call("proxy.set", proxy(1080, login="joe", password=SECRET), timeout=30)
    assert failure.value.reason == "failed" and "did not stay up" in failure.value.message
    assert SECRET not in str(vars(failure.value))
    assert service.files == {} and service.pid is None
    assert plugin.call("proxy.get") == {}


@pytest.mark.parametrize("fault", ["exit 1", 'sed -i "s/0.0.0.0/198.51.100.1/" {config}'], ids=["job", "bind"])
def test_a_restart_that_fails_brings_the_former_file_and_redsocks_back(
    service: RedsocksService, plugin: Plugin, server: Server, fault: str
) -> None:
    upstream = Microsocks(service.root)
    try:
        plugin.call("proxy.set", proxy(upstream.port, noProxy=["10.0.0.0/8"]))
        before, status, pid = service.files, service.config.stat(), service.pid
        fault = fault.format(config=service.config)
        service.before_start.write_text(f"if grep -q '\"6666\"' {service.config}; then {fault}; fi\n")
        with pytest.raises(PluginFailure) as failure:
            plugin.call("proxy.set", proxy(6666, login="joe", password=SECRET), timeout=30)
        assert failure.value.reason == "failed"
        assert "the former settings are in effect again" in failure.value.message
        assert SECRET not in str(vars(failure.value)) and SECRET not in "\n".join(plugin.stderr)
        assert service.files == before
        assert service.config.stat().st_ino == status.st_ino and service.config.stat().st_mode == status.st_mode
        assert service.pid not in (None, pid), "redsocks was not started again"
        wait_until(service.listens, 5, "redsocks listens")
        assert ask() == SOCKS.encode() + b"\n"
        assert plugin.call("proxy.get") == proxy(upstream.port, noProxy=["10.0.0.0/8"])
    finally:
        upstream.stop()


def test_redsocks_itself_refuses_before_anything_changes(service: RedsocksService, plugin: Plugin) -> None:
    plugin.call("proxy.set", proxy(1080))
    before, pid, restarts = service.files, service.pid, service.restarts
    with pytest.raises(PluginFailure) as failure:
        name = {"ip": "no-such-host.invalid", "login": "joe", "password": SECRET}
        plugin.call("proxy.set", {**proxy(1080), **name}, timeout=30)
    assert "unable to resolve no-such-host.invalid" in (failure.value.detail or "")
    assert SECRET not in str(vars(failure.value))
    assert (service.files, service.pid, service.restarts) == (before, pid, restarts)


def test_a_check_that_prints_the_secrets_does_not_pass_them_on(service: RedsocksService) -> None:
    program = service.root / "check"
    program.write_text('#!/bin/sh\ncat "$3" >&2\ntr "\\0" " " < /proc/$PPID/cmdline >&2\nexit 1\n')
    program.chmod(0o755)
    with start(service, settings={"Program": str(program)}) as plugin:
        with pytest.raises(PluginFailure) as failure:
            plugin.call("proxy.set", proxy(1080, login="joe-login", password=SECRET))
        assert failure.value.detail and "redsocks" in failure.value.detail
        told = str(vars(failure.value)) + "\n".join(plugin.stderr)
        assert SECRET not in told and "joe-login" not in told
    assert service.files == {}


def test_two_sets_at_once_leave_one_of_them_whole(service: RedsocksService, plugin: Plugin) -> None:
    plugin.call("proxy.set", proxy(1080))
    calls = [plugin.begin("proxy.set", proxy(2000 + n, noProxy=[f"10.0.0.{n}"])) for n in range(6)]
    for call in calls:
        assert plugin.answer(call, 30) == {}
    final = plugin.call("proxy.get")
    assert final["noProxy"] == [f"10.0.0.{final['port'] - 2000}"]
    assert service.restarts == 7
    assert_only_files(service)


def test_two_plugins_at_once_leave_one_of_them_whole(service: RedsocksService, plugin: Plugin) -> None:
    with start(service) as other:
        for n in range(5):
            first = plugin.begin("proxy.set", proxy(3000 + n, noProxy=[f"10.1.0.{n}"]))
            second = other.begin("proxy.set", proxy(4000 + n, noProxy=[f"10.2.0.{n}"]))
            assert plugin.answer(first, 30) == other.answer(second, 30) == {}
            final = other.call("proxy.get")
            assert final == plugin.call("proxy.get")
            assert final in (
                proxy(3000 + n, noProxy=[f"10.1.0.{n}"]),
                proxy(4000 + n, noProxy=[f"10.2.0.{n}"]),
            )
    assert_only_files(service)


# ---- the bus


def test_a_refusal_by_policy_changes_nothing(service: RedsocksService, plugin: Plugin) -> None:
    plugin.call("proxy.set", proxy(1080))
    before, pid = service.files, service.pid
    name = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
    service.behave(refuse={"RestartUnit": [name, "Interactive authentication required."]})
    with pytest.raises(PluginFailure) as failure:
        plugin.call("proxy.set", proxy(1081))
    assert (failure.value.reason, failure.value.source) == ("permission-denied", name)
    assert (service.files, service.pid, service.restarts) == (before, pid, 2)


def test_a_job_that_ends_before_its_answer_is_seen(service: RedsocksService, plugin: Plugin) -> None:
    service.behave(early=True)
    plugin.call("proxy.set", proxy(1080))
    assert service.pid


def test_without_a_bus_nothing_changes(service: RedsocksService) -> None:
    nowhere = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={service.root}/nothing"}
    with Plugin("redsocks", service.settings, nowhere) as plugin:
        assert plugin.call("proxy.get") == {}
        with pytest.raises(PluginFailure) as failure:
            plugin.call("proxy.set", proxy(1080))
        assert failure.value.reason == "unavailable" and failure.value.retryable
        assert service.files == {}


# ---- what goes wrong in between


def test_a_cancelled_set_is_whole(service: RedsocksService, plugin: Plugin) -> None:
    plugin.call("proxy.set", proxy(1080))
    service.before_start.write_text("sleep 0.7\n")
    call = plugin.begin("proxy.set", proxy(1081))
    wait_until(lambda: service.restarts == 2, 5, "the restart is under way")
    plugin.cancel(call)
    assert plugin.answer(call) == {}
    assert plugin.call("proxy.get") == proxy(1081) and service.pid
    assert_only_files(service)


def test_the_end_of_the_input_does_not_cut_a_set_in_half(service: RedsocksService, plugin: Plugin) -> None:
    service.before_start.write_text("sleep 0.7\n")
    plugin.begin("proxy.set", proxy(1081))
    wait_until(lambda: service.restarts == 1, 5, "the restart is under way")
    assert plugin.close() == 0
    assert_only_files(service)
    with start(service) as later:
        assert later.call("proxy.get") == proxy(1081) and service.pid


def test_a_change_of_a_plugin_that_was_killed_is_taken_back(service: RedsocksService) -> None:
    with start(service) as plugin:
        plugin.call("proxy.set", proxy(1080, noProxy=["10.0.0.0/8"]))
        before, pid = service.files, service.pid
        service.behave(stuck=[redsocks.UNIT])
        plugin.begin("proxy.set", proxy(1081, login="joe", password=SECRET))
        wait_until(lambda: service.restarts == 2, 5, "the restart is under way")
        plugin.kill()
    assert service.files["redsocks.conf"] != before["redsocks.conf"]
    service.behave()
    with start(service) as plugin:
        assert plugin.call("proxy.get") == proxy(1080, noProxy=["10.0.0.0/8"])
        assert service.files == before
        assert service.pid not in (None, pid) and service.restarts == 3
        plugin.call("proxy.set", proxy(1081))
        assert plugin.call("proxy.get") == proxy(1081)
        assert_only_files(service)


def test_killed_at_any_moment_it_leaves_the_one_or_the_other(service: RedsocksService) -> None:
    rng = random.Random(7)
    with start(service) as plugin:
        plugin.call("proxy.set", proxy(2000))
    for round in range(20):
        former, new = proxy(2000 + round), proxy(2001 + round)
        with start(service) as plugin:
            plugin.begin("proxy.set", new)
            time.sleep(rng.uniform(0, 0.12))
            plugin.kill()
        with start(service) as plugin:
            found = plugin.call("proxy.get")
            assert found in (former, new), f"round {round}: {found}"
            assert_only_files(service)
            plugin.call("proxy.set", new)
            assert plugin.call("proxy.get") == new and service.pid


def test_a_full_disk_leaves_everything_as_it_was(service: RedsocksService, plugin: Plugin) -> None:
    service.folder.mkdir()
    must(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", service.folder])
    try:
        plugin.call("proxy.set", proxy(1080))
        before, pid, restarts = service.files, service.pid, service.restarts
        filler = service.folder / "filler"
        run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"])
        with pytest.raises(PluginFailure) as failure:
            plugin.call("proxy.set", proxy(1081))
        assert "No space left on device" in failure.value.message
        filler.unlink()
        assert (service.files, service.pid, service.restarts) == (before, pid, restarts)
        assert plugin.call("proxy.get") == proxy(1080)
    finally:
        must(["umount", "-l", service.folder])


def test_a_read_only_directory_is_said_in_words(service: RedsocksService, plugin: Plugin) -> None:
    service.folder.mkdir()
    must(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", service.folder])
    try:
        plugin.call("proxy.set", proxy(1080))
        before, pid, restarts = service.files, service.pid, service.restarts
        must(["mount", "-o", "remount,ro", service.folder])
        for operation, parameters in (("proxy.set", proxy(1081)), ("proxy.clear", {})):
            with pytest.raises(PluginFailure) as failure:
                plugin.call(operation, parameters)
            assert "Read-only file system" in failure.value.message and str(service.folder) in failure.value.message
        assert plugin.call("proxy.get") == proxy(1080)
        assert (service.files, service.pid, service.restarts) == (before, pid, restarts)
    finally:
        must(["umount", "-l", service.folder])


def test_no_secret_is_seen_anywhere(service: RedsocksService, plugin: Plugin) -> None:
    seen: list[bytes] = []
    service.before_start.write_text("sleep 0.3\n")
    call = plugin.begin("proxy.set", proxy(1080, login="joe-login", password=SECRET))
    while service.pid is None:
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                for file in ("cmdline", "environ"):
                    try:
                        seen.append((process / file).read_bytes())
                    except OSError:
                        pass
    plugin.answer(call)
    assert plugin.call("proxy.get")["password"] == SECRET
    for secret in (SECRET, "joe-login"):
        assert not any(secret.encode() in text for text in seen)
        assert secret not in "\n".join(plugin.stderr) and secret not in service.log
    assert plugin.stderr, "the change is worth a line"


def test_it_is_ready_where_redsocks_is_installed(service: RedsocksService, plugin: Plugin) -> None:
    assert plugin.call("plugin.ping") == {"ready": True}
    with start(service, settings={"Program": "/nonexistent/redsocks"}) as without:
        answer = without.call("plugin.ping")
        assert answer["ready"] is False and "/nonexistent/redsocks" in answer["reason"]
        with pytest.raises(PluginFailure) as failure:
            without.call("proxy.set", proxy(1080))
        assert failure.value.reason == "unavailable"
