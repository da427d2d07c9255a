"""The endpoints of the host, success and failure, to the byte: what plugins answer becomes what the API says."""

from __future__ import annotations

from typing import Any, Callable, Iterator

import pytest

from harness import target
from harness.answers import JSON, is_empty, is_error_object, is_text
from harness.engine import Engine
from harness.host import PROXY, Host
from harness.paths import SANDBOX_ROOT
from harness.plugins import Plugins
from harness.supervisor import Supervisor
from harness.waiting import wait_until
from harness.wire import Response

#: (method, path, body, the operation behind it, whether failures are told as {"Data","Error"})
CALLS = [
    ("POST", "/v1/blink", None, "led.blink", False),
    ("POST", "/v1/reboot", None, "power.reboot", True),
    ("POST", "/v1/shutdown", None, "power.power-off", True),
    ("GET", "/v1/device/host-config", None, "proxy.get", False),
    ("GET", "/v1/device/host-config", None, "hostname.get", False),
    ("PATCH", "/v1/device/host-config", {"network": {"hostname": "other"}}, "hostname.set", False),
    ("PATCH", "/v1/device/host-config", {"network": {"proxy": {"type": "socks5", "ip": "10.0.0.1", "port": 1080}}}, "proxy.set", False),
    ("PATCH", "/v1/device/host-config", {"network": {"proxy": None}}, "proxy.clear", False),
]
#: reason of the plugin's error, status
REASONS = [
    ("invalid-argument", 400),
    ("not-supported", 404),
    ("permission-denied", 500),
    ("unavailable", 503),
    ("busy", 503),
    ("timeout", 504),
    ("failed", 500),
]
#: Each call with each reason. A device without a LED has nothing to blink, which is a success of its own.
FAILURES = [
    pytest.param(*call, *reason, id=f"{call[3]}-{reason[0]}")
    for call in CALLS
    for reason in REASONS
    if (call[3], reason[0]) != ("led.blink", "not-supported")
]


@pytest.fixture(scope="module")
def host(shared_engine: Engine, shared_device: Any, user: Any) -> Iterator[Host]:
    """One device for the whole file; every test says first what its plugins do."""
    shared_device.end()
    shared_engine.remove_all()
    supervisor = Supervisor(SANDBOX_ROOT / "host", shared_engine, user)
    host = Host(supervisor)
    supervisor.write_target(target.app())
    supervisor.start()
    supervisor.wait_settled(release="a")
    yield host
    print(supervisor.log[-8000:])
    host.plugins.dispose()
    supervisor.dispose()


def api(host: Host, method: str, path: str, body: Any = None) -> Response:
    return host.supervisor.api(method, path, body)


# ---- success


def test_blink_blinks_for_15_seconds(host: Host) -> None:
    host.good()
    before = len(host.scripted["led"].received("led.blink"))
    answer = api(host, "POST", "/v1/blink")
    is_empty(answer, 200)
    assert answer.header("X-Supervisor-Led") is None
    calls = host.scripted["led"].received("led.blink")[before:]
    assert [call["params"] for call in calls] == [{"durationMs": 15000}]


@pytest.mark.parametrize(
    "behaviour", [{"reply": {"supported": False}}, {"error": {"reason": "not-supported", "message": "no LED"}}]
)
def test_blink_without_a_led_succeeds_and_says_so(host: Host, behaviour: dict[str, Any]) -> None:
    host.fail("led.blink", behaviour)
    answer = api(host, "POST", "/v1/blink")
    is_empty(answer, 200)
    assert answer.header("X-Supervisor-Led") == "none"


@pytest.mark.parametrize("method, operation", [("POST", "tcp-ping.enable"), ("DELETE", "tcp-ping.disable")])
def test_tcp_ping_is_passed_on(host: Host, method: str, operation: str) -> None:
    host.good()
    before = len(host.scripted["tcp-ping"].received(operation))
    is_empty(api(host, method, "/v1/tcp-ping"), 204)
    host.scripted["tcp-ping"].wait_received(operation, before + 1)


def test_host_config_has_the_members_in_their_order(host: Host) -> None:
    host.good(PROXY, "kiosk-7")
    answer = api(host, "GET", "/v1/device/host-config")
    assert (answer.status, answer.header("Content-Type")) == (200, JSON)
    assert answer.body == (
        b'{"network":{"proxy":{"ip":"proxy.example.com","port":"8123","type":"socks5","login":"me","password":"s3cret",'
        b'"noProxy":["10.1.2.3"]},"hostname":"kiosk-7"}}'
    )


def test_host_config_without_a_proxy_says_null(host: Host) -> None:
    host.good()
    answer = api(host, "GET", "/v1/device/host-config")
    assert answer.body == b'{"network":{"proxy":null,"hostname":"device"}}'


def test_patch_answers_ok(host: Host) -> None:
    host.good()
    is_text(api(host, "PATCH", "/v1/device/host-config", {"network": {"hostname": "elsewhere"}}), 200, "OK")
    assert host.scripted["hostnamed"].received("hostname.set")[-1]["params"] == {"hostname": "elsewhere"}


def test_the_hosts_plugins_show_with_what_they_are_used_for(host: Host) -> None:
    host.good()
    api(host, "POST", "/v1/blink")
    states = host.plugins.states()
    assert list(states) == sorted(states)
    assert states["led"]["state"] == "ready" and states["led"]["used"] == ["led.blink"]
    shown = host.supervisor.ctl("plugins").stdout
    for name, plugin in states.items():
        assert any(name in line and plugin["state"] in line for line in shown.splitlines()), shown


def test_call_drives_an_operation_by_hand_and_records_it_without_secrets(host: Host, tmp_path: Any) -> None:
    host.good(PROXY)
    record = tmp_path / "frames"
    done = host.supervisor.ctl("call", "proxy.get", "{}", "--record", str(record))
    assert done.returncode == 0, done
    assert "s3cret" not in done.stdout and "proxy.example.com" in done.stdout
    text = record.read_text()
    assert record.stat().st_mode & 0o777 == 0o600
    assert '"proxy.get"' in text and "s3cret" not in text and '"me"' not in text and "[redacted]" in text


# ---- failure


@pytest.mark.parametrize("method, path, body, operation, is_object, reason, status", FAILURES)
def test_a_failure_of_the_plugin_has_its_status(
    host: Host, method: str, path: str, body: Any, operation: str, is_object: bool, reason: str, status: int
) -> None:
    host.good()
    host.fail(operation, {"error": {"reason": reason, "message": "it went wrong: here"}})
    answer = api(host, method, path, body)
    if is_object:
        # Power knows refusals by lock, logind away, and everything else.
        expected = {"unavailable": 503, "busy": 503, "timeout": None}.get(reason, 500)
        is_error_object(answer, answer.status)
        assert answer.status in ((expected,) if expected else (500, 504)) or answer.status == status, answer
        wait_until(lambda: host.supervisor.settled(release="a"), 15, "the app runs again")
    elif "host-config" in path:
        if operation == "proxy.get" and reason == "not-supported":
            # As if there were no plugin for that half.
            assert answer.status == 200, answer
            return
        is_text(answer, status if status in (400, 404) else 503)
    else:
        is_text(answer, status)
    assert "it went wrong: here" in answer.text
    if status == 503 and reason == "busy":
        assert int(answer.header("Retry-After") or 0) > 0


@pytest.mark.parametrize("method, path, body, operation, is_object", CALLS, ids=[call[3] for call in CALLS])
def test_a_plugin_that_dies_in_the_call_is_a_503_and_the_next_call_works(
    host: Host, method: str, path: str, body: Any, operation: str, is_object: bool
) -> None:
    host.good()
    host.fail(operation, {"crash": True})
    answer = api(host, method, path, body)
    assert answer.status in (500, 503), answer
    (is_error_object if is_object else is_text)(answer, answer.status)
    if is_object:
        wait_until(lambda: host.supervisor.settled(release="a"), 20, "the app runs again")
    host.good()
    # Without the reload a plugin that fails in one test after the other would be left alone for minutes.
    assert host.supervisor.ctl("reload").returncode == 0
    wait_until(lambda: api(host, "GET", "/v1/device/host-config").status == 200, 20, "the plugins are up again")
    host.supervisor.assert_alive()


@pytest.mark.parametrize("path", ["/v1/blink", "/v1/tcp-ping", "/v1/reboot", "/v1/shutdown", "/v1/device/host-config"])
def test_the_hosts_endpoints_want_the_key(host: Host, path: str) -> None:
    answer = host.supervisor.api("POST", path, key="0" * 64)
    is_text(answer, 401, "Unauthorized")


# ---- what is kept


def test_the_choice_of_tcp_ping_survives_restarts_of_supervisor_and_plugin(
    engine: Engine, new_supervisor: Callable[..., Supervisor]
) -> None:
    supervisor = new_supervisor(engine)
    plugins = Plugins(supervisor)
    plugin = plugins.scripted("tcp-ping", Lifecycle="persistent")
    plugin.script({"*": [{"reply": {"enabled": True, "connected": None}}]})
    supervisor.write_target(target.app())
    supervisor.start()
    plugin.wait_received("tcp-ping.enable")
    is_empty(supervisor.api("DELETE", "/v1/tcp-ping"), 204)
    plugin.wait_received("tcp-ping.disable")

    supervisor.restart()
    plugin.wait_received("tcp-ping.disable", 2)
    assert len(plugin.received("tcp-ping.enable")) == 1

    import os
    import signal

    os.kill(plugin.pids[-1], signal.SIGKILL)
    plugin.wait_received("tcp-ping.disable", 3)
    assert len(plugin.received("tcp-ping.enable")) == 1


def test_connectivity_shows_as_the_plugin_tells_it(
    engine: Engine, new_supervisor: Callable[..., Supervisor]
) -> None:
    supervisor = new_supervisor(engine)
    plugins = Plugins(supervisor)
    plugin = plugins.scripted("tcp-ping", Lifecycle="persistent")
    notify = {"method": "tcp-ping.changed", "params": {"enabled": True, "connected": False}}
    plugin.script(
        {
            "tcp-ping.enable": [{"reply": {"enabled": True, "connected": True}}],
            "tcp-ping.status": [{"notify": notify, "reply": {"enabled": True, "connected": False}}],
        }
    )
    supervisor.start()
    wait_until(lambda: supervisor.device()["connectivity"] == {"enabled": True, "connected": True}, 10, "connected")
    assert plugins.call("tcp-ping.status")[0] == 0
    wait_until(lambda: supervisor.device()["connectivity"] == {"enabled": True, "connected": False}, 10, "not connected")
    assert "connect" in supervisor.ctl("status").stdout.lower()
