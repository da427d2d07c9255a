"""The plugin hostnamed against the real systemd-hostnamed, in namespaces with an /etc and a host name of their own."""

from __future__ import annotations

import itertools
import socket
from typing import Iterator

import pytest

from harness.bus import SystemBus
from harness.paths import SANDBOX_ROOT
from harness.plugin import Plugin, PluginFailure, behind_socket
from harness.supervisor import User

_serial = itertools.count(1)


@pytest.fixture
def bus() -> Iterator[SystemBus]:
    outside = socket.gethostname()
    with SystemBus(SANDBOX_ROOT / f"hostnamed-bus{next(_serial)}") as bus:
        yield bus
    assert socket.gethostname() == outside, "the test has changed the machine's name"


@pytest.fixture
def plugin(bus: SystemBus) -> Iterator[Plugin]:
    with Plugin("hostnamed", environment=bus.environment) as plugin:
        yield plugin


def refusal(plugin: Plugin, operation: str, parameters: dict[str, str] | None = None) -> PluginFailure:
    with pytest.raises(PluginFailure) as caught:
        plugin.call(operation, parameters)
    assert caught.value.code == -32000, caught.value
    return caught.value


def test_says_what_it_is(plugin: Plugin) -> None:
    assert plugin.about["plugin"]["name"] == "hostnamed"
    assert plugin.about["operations"] == [
        {"name": "hostname.get", "idempotent": True},
        {"name": "hostname.set", "idempotent": True},
    ]
    assert plugin.call("plugin.ping") == {"ready": True}
    assert plugin.close() == 0


@pytest.mark.parametrize("name", ["after", "a", "A-1.example.org", "9", "x" * 63, ".".join(["abcdefg"] * 8)])
def test_a_name_reaches_the_file_and_the_kernel(bus: SystemBus, plugin: Plugin, name: str) -> None:
    assert plugin.call("hostname.get") == {"hostname": "before"}
    assert plugin.call("hostname.set", {"hostname": name}) == {}
    assert plugin.call("hostname.get") == {"hostname": name}
    assert bus.host.etc_hostname == name
    assert bus.host.kernel_hostname == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "-a", "a-", "a..b", ".a", "a.", "a_b", "ä", "a\n", "a\u0000", "x" * 64, "a." * 33 + "a", "$(id)"],
)
def test_what_is_no_name_is_refused_before_hostnamed_sees_it(bus: SystemBus, plugin: Plugin, name: str) -> None:
    error = refusal(plugin, "hostname.set", {"hostname": name})
    assert error.reason == "invalid-argument" and not error.retryable, error
    assert "hostname" in error.message
    assert not bus.hostnamed_log.exists(), "hostnamed was started"
    assert (bus.host.etc_hostname, bus.host.kernel_hostname) == ("before", "before")


@pytest.mark.parametrize("parameters", [{}, {"hostname": None}, {"hostname": 3}, {"hostname": ["a"]}])
def test_what_is_no_string_is_refused(plugin: Plugin, parameters: dict[str, str]) -> None:
    assert refusal(plugin, "hostname.set", parameters).reason == "invalid-argument"


def test_an_unchanged_name_is_not_set(bus: SystemBus, plugin: Plugin) -> None:
    before = bus.host.must("stat", "-c", "%i %z", "/etc/hostname")
    # The refusal of a write would show.
    bus.host.set_etc_read_only(True)
    assert plugin.call("hostname.set", {"hostname": "before"}) == {}
    assert bus.host.must("stat", "-c", "%i %z", "/etc/hostname") == before
    assert not any("setting" in line for line in plugin.stderr)


def test_a_read_only_etc_is_said_in_words(bus: SystemBus, plugin: Plugin) -> None:
    bus.host.set_etc_read_only(True)
    error = refusal(plugin, "hostname.set", {"hostname": "after"})
    assert error.reason == "failed" and not error.retryable, error
    assert error.message == "cannot set the host's name: /etc is read-only on this host"
    assert error.source, error
    assert plugin.call("hostname.get") == {"hostname": "before"}
    assert bus.host.kernel_hostname == "before"
    bus.host.set_etc_read_only(False)
    assert plugin.call("hostname.set", {"hostname": "after"}) == {}
    assert bus.host.etc_hostname == "after"


def test_no_name_is_empty(bus: SystemBus, plugin: Plugin) -> None:
    bus.host.must("rm", "/etc/hostname")
    assert plugin.call("hostname.get") == {"hostname": ""}
    assert plugin.call("hostname.set", {"hostname": "after"}) == {}
    assert bus.host.etc_hostname == "after"


def test_a_policy_that_refuses_is_named(bus: SystemBus, user: User) -> None:
    with Plugin("hostnamed", environment=bus.environment, wrap=user.command()) as plugin:
        assert plugin.call("hostname.get") == {"hostname": "before"}
        error = refusal(plugin, "hostname.set", {"hostname": "after"})
    assert error.reason == "permission-denied" and not error.retryable, error
    assert "org.freedesktop.hostname1.set-static-hostname" in error.message
    assert error.source == "org.freedesktop.DBus.Error.AccessDenied", error
    assert bus.host.etc_hostname == "before"


def test_a_bus_that_is_away_is_unavailable_and_found_again(bus: SystemBus, plugin: Plugin) -> None:
    assert plugin.call("hostname.get") == {"hostname": "before"}
    bus.stop()
    for operation, parameters in (("hostname.get", {}), ("hostname.set", {"hostname": "after"})):
        error = refusal(plugin, operation, parameters)
        assert error.reason == "unavailable" and error.retryable, error
    assert plugin.call("plugin.ping")["ready"] is False
    bus.start()
    assert plugin.call("hostname.set", {"hostname": "after"}) == {}
    assert bus.host.etc_hostname == "after"


def test_a_hostnamed_that_cannot_be_started_is_unavailable() -> None:
    bus = SystemBus(SANDBOX_ROOT / f"hostnamed-bus{next(_serial)}")
    bus.add_service("org.freedesktop.hostname1", bus.root / "absent")
    with bus, Plugin("hostnamed", environment=bus.environment) as plugin:
        error = refusal(plugin, "hostname.get")
        assert error.reason == "unavailable" and error.retryable, error
        assert error.source and ".Spawn." in error.source, error


def test_behind_a_socket_it_is_the_same(bus: SystemBus) -> None:
    path = bus.root / "hostnamed.sock"
    launcher = behind_socket("hostnamed", path, bus.root / "socket.log", bus.environment)
    try:
        first, second = Plugin.connect(path), Plugin.connect(path)
        with first, second:
            assert first.call("hostname.set", {"hostname": "after"}) == {}
            assert second.call("hostname.get") == {"hostname": "after"}
            assert refusal(first, "hostname.set", {"hostname": ""}).reason == "invalid-argument"
            assert first.close() == 0
            assert second.call("plugin.ping") == {"ready": True}
    finally:
        launcher.kill()
    assert bus.host.etc_hostname == "after"
