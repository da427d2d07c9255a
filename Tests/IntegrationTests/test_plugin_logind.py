"""The plugin logind against the real systemd-logind on a bus of the test's own."""

from __future__ import annotations

import itertools
import os
import time
from typing import Iterator

import pytest

from harness.bus import SystemBus
from harness.paths import SANDBOX_ROOT
from harness.plugin import Plugin, PluginFailure
from harness.supervisor import User
from harness.waiting import stays, wait_until

_serial = itertools.count(1)
ACTIONS = [("power.reboot", "reboot.target", "reboot"), ("power.power-off", "poweroff.target", "power-off")]
MODE = "replace-irreversibly"


@pytest.fixture
def bus() -> Iterator[SystemBus]:
    with SystemBus(SANDBOX_ROOT / f"logind-bus{next(_serial)}") as bus:
        bus.start_logind()
        yield bus


@pytest.fixture
def plugin(bus: SystemBus) -> Iterator[Plugin]:
    with Plugin("logind", environment=bus.environment) as plugin:
        yield plugin


def refusal(plugin: Plugin, operation: str = "power.reboot", timeout: float = 12) -> PluginFailure:
    with pytest.raises(PluginFailure) as caught:
        plugin.call(operation, timeout=timeout)
    assert caught.value.code == -32000, caught.value
    return caught.value


def test_says_what_it_is(plugin: Plugin) -> None:
    assert plugin.about["plugin"]["name"] == "logind"
    assert {o["name"]: o["idempotent"] for o in plugin.about["operations"]} == {
        "power.reboot": False,
        "power.power-off": False,
        "power.status": True,
    }
    assert plugin.call("plugin.ping") == {"ready": True}
    assert plugin.close() == 0


@pytest.mark.parametrize("operation, unit, preparing", ACTIONS)
def test_is_answered_once_systemd_has_the_job(
    bus: SystemBus, plugin: Plugin, operation: str, unit: str, preparing: str
) -> None:
    assert plugin.call("power.status") == {"preparing": "none"}
    assert plugin.call(operation) == {}
    assert bus.calls == [["StartUnit", unit, MODE]]
    assert plugin.call("power.status") == {"preparing": preparing}
    # Another process, which has asked for nothing, reads the same.
    with Plugin("logind", environment=bus.environment) as other:
        assert other.call("power.status") == {"preparing": preparing}


def test_a_second_shutdown_is_busy(bus: SystemBus, plugin: Plugin) -> None:
    assert plugin.call("power.reboot") == {}
    error = refusal(plugin, "power.power-off")
    assert error.reason == "busy" and error.retryable, error
    assert error.source == "org.freedesktop.login1.OperationInProgress"
    assert bus.calls == [["StartUnit", "reboot.target", MODE]]


def test_a_shutdown_that_failed_is_none_any_more(bus: SystemBus, plugin: Plugin) -> None:
    plugin.call("power.reboot")
    bus.end_jobs("reboot.target")
    wait_until(lambda: plugin.call("power.status") == {"preparing": "none"}, 5, "logind notices the end of the job")
    plugin.call("power.power-off")
    assert bus.calls[-1] == ["StartUnit", "poweroff.target", MODE]


@pytest.mark.parametrize("operation, unit, preparing", ACTIONS)
def test_a_delayed_shutdown_is_known_by_its_kind(
    bus: SystemBus, plugin: Plugin, operation: str, unit: str, preparing: str
) -> None:
    held = bus.inhibit(mode="delay", who="saver")
    try:
        # Accepted at once; the job comes when the program is ready.
        assert plugin.call(operation, timeout=2) == {}
        assert bus.calls == []
        assert plugin.call("power.status", timeout=2) == {"preparing": preparing}
        # One that has not asked waits for the job.
        with Plugin("logind", environment=bus.environment) as other:
            number = other.begin("power.status")
            stays(lambda: len(other.frames) == 1, 0.3, "no answer as long as the kind is unknown")
            os.close(held)
            held = -1
            assert other.answer(number, timeout=5) == {"preparing": preparing}
        assert bus.calls == [["StartUnit", unit, MODE]]
    finally:
        if held >= 0:
            os.close(held)


@pytest.mark.parametrize("as_root", [True, False])
def test_a_block_inhibitor_is_named(bus: SystemBus, user: User, as_root: bool) -> None:
    held = bus.inhibit(who="apt", why="upgrades the system")
    other = bus.inhibit(what="sleep", who="player", why="plays")
    wrap = [] if as_root else user.command()
    with Plugin("logind", environment=bus.environment, wrap=wrap) as plugin:
        error = refusal(plugin)
        assert error.reason == "busy" and error.retryable, error
        assert error.message.startswith(f"cannot reboot: blocked by apt: upgrades the system, process {os.getpid()} of")
        assert "player" not in (error.message + (error.detail or "")), error
        # logind lets root ignore root's inhibitors; then it is the plugin that refuses.
        assert error.source == (None if as_root else "org.freedesktop.DBus.Error.AccessDenied"), error
        assert bus.calls == []
        status = plugin.call("power.status")
        assert status["preparing"] == "none"
        assert status["inhibited"].startswith(f"blocked by apt: upgrades the system, process {os.getpid()} of"), status
        assert "player" not in status["inhibited"]
        os.close(held)
        wait_until(lambda: plugin.call("power.status") == {"preparing": "none"}, 5, "no one blocks any more")
        if as_root:
            wait_until(lambda: plugin.call("power.reboot") == {}, 5, "nobody blocks any more")
        os.close(other)


@pytest.mark.parametrize("operation, action", [("power.reboot", "reboot"), ("power.power-off", "power-off")])
def test_a_policy_that_refuses_is_named(bus: SystemBus, user: User, operation: str, action: str) -> None:
    with Plugin("logind", environment=bus.environment, wrap=user.command()) as plugin:
        error = refusal(plugin, operation)
    assert error.reason == "permission-denied" and not error.retryable, error
    assert f"org.freedesktop.login1.{action}" in error.message and str(user.uid) in error.message, error
    assert error.source == "org.freedesktop.DBus.Error.AccessDenied", error
    assert bus.calls == []


def test_a_systemd_that_refuses_is_quoted(bus: SystemBus, plugin: Plugin) -> None:
    bus.behave(refuse={"StartUnit": ["org.freedesktop.systemd1.TransactionIsDestructive", "Transaction is destructive."]})
    error = refusal(plugin)
    assert error.reason == "busy" and "Transaction is destructive." in error.message, error
    assert plugin.call("power.status") == {"preparing": "none"}


def test_a_bus_that_is_away_is_unavailable_and_found_again(bus: SystemBus, plugin: Plugin) -> None:
    assert plugin.call("power.status") == {"preparing": "none"}
    bus.stop()
    for operation in ("power.reboot", "power.power-off", "power.status"):
        error = refusal(plugin, operation, timeout=3)
        assert error.reason == "unavailable" and error.retryable, error
    ping = plugin.call("plugin.ping")
    assert not ping["ready"] and "system bus" in ping["reason"], ping
    bus.start()
    error = refusal(plugin)
    assert error.reason == "unavailable" and error.source == "org.freedesktop.DBus.Error.ServiceUnknown", error
    bus.start_logind()
    assert plugin.call("plugin.ping") == {"ready": True}
    assert plugin.call("power.reboot") == {}
    assert bus.calls == [["StartUnit", "reboot.target", MODE]]


def test_a_logind_that_hangs_is_a_time_out_with_an_unknown_outcome(bus: SystemBus, plugin: Plugin) -> None:
    assert bus.logind
    bus.logind.freeze()
    start = time.monotonic()
    number = plugin.begin("power.reboot")
    # Everything else goes on meanwhile.
    assert plugin.call("plugin.ping", timeout=2) == {"ready": True}
    with pytest.raises(PluginFailure) as caught:
        plugin.answer(number, timeout=12)
    assert caught.value.reason == "timeout" and "may have been done" in caught.value.message, caught.value
    assert 7 < time.monotonic() - start < 10
    bus.logind.thaw()
    # The request was sent once, and logind does it late.
    wait_until(lambda: bus.calls == [["StartUnit", "reboot.target", MODE]], 5, "logind goes on")
    assert plugin.call("power.status") == {"preparing": "reboot"}


def test_a_cancelled_call_is_answered_once_and_soon(bus: SystemBus, plugin: Plugin) -> None:
    assert bus.logind
    bus.logind.freeze()
    number = plugin.begin("power.reboot")
    plugin.logged("asking logind to reboot")
    plugin.cancel(number)
    with pytest.raises(PluginFailure) as caught:
        plugin.answer(number, timeout=2)
    assert caught.value.code == -32003
    assert [frame for frame in plugin.frames if frame.get("id") == number] == plugin.frames[-1:]


def test_a_plugin_that_is_killed_after_systemd_has_the_job_leaves_the_outcome_to_be_asked_for(bus: SystemBus) -> None:
    bus.behave(late={"StartUnit": 1})
    with Plugin("logind", environment=bus.environment) as plugin:
        plugin.begin("power.power-off")
        wait_until(lambda: bus.calls, 5, "systemd has the job")
        plugin.kill()
        assert plugin.answers == 1, "it has answered the handshake alone"
    # While logind itself still waits for systemd's answer.
    with Plugin("logind", environment=bus.environment) as plugin:
        assert plugin.call("power.status", timeout=1) == {"preparing": "power-off"}
        stays(lambda: plugin.call("power.status") == {"preparing": "power-off"}, 1.2, "it goes on")
    assert bus.calls == [["StartUnit", "poweroff.target", MODE]]


def test_logind_drops_a_request_whose_sender_was_killed(bus: SystemBus) -> None:
    assert bus.logind
    with Plugin("logind", environment=bus.environment) as plugin:
        bus.logind.freeze()
        plugin.begin("power.power-off")
        plugin.logged("asking logind to power off")
        time.sleep(0.2)
        plugin.kill()
    bus.logind.thaw()
    with Plugin("logind", environment=bus.environment) as plugin:
        stays(lambda: plugin.call("power.status") == {"preparing": "none"}, 0.5, "nothing is under way")
    assert bus.calls == []


def test_a_call_under_way_ends_with_the_input(bus: SystemBus, plugin: Plugin) -> None:
    assert bus.logind
    bus.logind.freeze()
    plugin.begin("power.reboot")
    plugin.logged("asking logind to reboot")
    start = time.monotonic()
    assert plugin.close() == 0
    assert time.monotonic() - start < 3
