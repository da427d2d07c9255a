"""Reboot and shutdown: what happens in which order, who is refused, and what an unknown outcome leads to."""

from __future__ import annotations

import concurrent.futures
import time
from typing import Any

import pytest

from harness import target
from harness.answers import is_error_object
from harness.engine import Engine
from harness.plugins import PingProbe
from harness.powered import GOOD, Powered
from harness.supervisor import Supervisor
from harness.waiting import stays, wait_until
from harness.wire import Connection, request

ACCEPTED = b'{"Data":"OK","Error":""}'
KINDS = [("reboot", "power.reboot"), ("shutdown", "power.power-off")]


@pytest.fixture
def powered(supervisor: Supervisor) -> Powered:
    powered = Powered(supervisor)
    supervisor.write_target(target.app())
    supervisor.start()
    powered.runs()
    return powered


@pytest.mark.parametrize("kind, operation", KINDS)
def test_the_app_is_locked_and_stopped_before_the_host_is_asked_and_the_answer_comes_after_it(
    powered: Powered, kind: str, operation: str
) -> None:
    powered.logind.script({**GOOD, operation: [{"slow": 1000, "reply": {}}]})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        began = time.monotonic()
        answer = pool.submit(powered.power, kind)
        asked = powered.logind.wait_received(operation)[0]
        assert powered.stopped(), "the app runs while the host is asked"
        assert not answer.done(), "the answer came before the host had accepted"
        # The journal's clock is CLOCK_MONOTONIC as well.
        assert asked["ms"] / 1000 >= began
        response = answer.result(20)
    assert (response.status, response.body) == (202, ACCEPTED)
    assert time.monotonic() - asked["ms"] / 1000 >= 1.0
    stays(powered.stopped, 2, "nothing is started while the device goes down")
    assert powered.asked() == [operation]


@pytest.mark.parametrize("kind, operation", KINDS)
def test_a_lock_refuses_it_and_nothing_is_stopped(powered: Powered, kind: str, operation: str) -> None:
    supervisor = powered.supervisor
    before = supervisor.settled(release="a")["Id"]
    (supervisor.lock_folder() / "updates.lock").touch()
    is_error_object(powered.power(kind), 423)
    assert supervisor.settled(release="a")["Id"] == before
    assert supervisor.settled()["State"]["StartedAt"] == supervisor.engine.running(target.APP)["State"]["StartedAt"]
    assert powered.asked() == []


@pytest.mark.parametrize("body", [None, {"force": True}])
@pytest.mark.parametrize("kind, operation", KINDS)
def test_an_inhibitor_is_named_and_nothing_is_stopped(powered: Powered, kind: str, operation: str, body: object) -> None:
    who = "blocked by apt: upgrades the system, process 7 of user 0"
    powered.logind.script({"power.status": [{"reply": {"preparing": "none", "inhibited": who}}]})
    before = powered.supervisor.settled(release="a")
    answer = powered.power(kind, body)
    is_error_object(answer, 503)
    assert who in answer.text and int(answer.header("Retry-After")) > 0
    after = powered.supervisor.settled(release="a")
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert powered.asked() == []


@pytest.mark.parametrize("command, kind, operation", [("reboot", *KINDS[0]), ("power-off", *KINDS[1])])
def test_superctl_passes_the_same_gate(powered: Powered, command: str, kind: str, operation: str) -> None:
    supervisor = powered.supervisor
    lock = supervisor.lock_folder() / "updates.lock"
    lock.touch()
    refused = supervisor.ctl(command)
    assert refused.returncode == 75
    for text in ("updates.lock", "uid 0", "--force"):
        assert text in refused.stderr, refused.stderr
    assert powered.asked() == [] and supervisor.settled(release="a")
    done = supervisor.ctl(command, "--force", timeout=60)
    assert (done.returncode, done.stdout) == (0, f"The {kind} is under way.\n"), done.stderr
    assert powered.asked() == [operation]
    other = supervisor.ctl("reboot" if command == "power-off" else "power-off")
    assert other.returncode == 75 and f"A {kind} is under way" in other.stderr


@pytest.mark.parametrize("kind, operation", KINDS)
@pytest.mark.parametrize("force", [True, "1", "on"])
def test_force_goes_past_the_lock(powered: Powered, kind: str, operation: str, force: Any) -> None:
    (powered.supervisor.lock_folder() / "updates.lock").touch()
    response = powered.power(kind, {"force": force})
    assert (response.status, response.body) == (202, ACCEPTED)
    assert powered.asked() == [operation]


@pytest.mark.parametrize(
    "error, status",
    [
        ({"reason": "permission-denied", "message": "polkit says no"}, 500),
        ({"reason": "busy", "message": "held by apt: Upgrading"}, 503),
        ({"reason": "unavailable", "message": "logind is away"}, 503),
        ({"reason": "failed", "message": "something else"}, 500),
    ],
)
def test_a_refusal_of_the_host_runs_the_app_again(powered: Powered, error: dict[str, str], status: int) -> None:
    powered.logind.script({**GOOD, "power.reboot": [{"error": error}]})
    response = powered.power("reboot")
    is_error_object(response, status)
    assert error["message"] in response.json["Error"]
    powered.runs()
    # And the gate is open again.
    powered.logind.script(GOOD)
    assert powered.power("reboot").status == 202


def test_a_plugin_that_is_not_there_stops_nothing(powered: Powered) -> None:
    (powered.plugins.low / "logind.plugin").unlink()
    assert powered.supervisor.ctl("reload").returncode == 0
    before = powered.supervisor.settled()["State"]["StartedAt"]
    is_error_object(powered.power("reboot"), 501)
    assert powered.supervisor.settled()["State"]["StartedAt"] == before


def test_two_reboots_at_once_are_one(powered: Powered) -> None:
    powered.logind.script({**GOOD, "power.reboot": [{"slow": 500, "reply": {}}]})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(powered.power, ["reboot"] * 4))
    assert [(answer.status, answer.body) for answer in answers] == [(202, ACCEPTED)] * 4
    assert powered.asked() == ["power.reboot"]


def test_a_reboot_and_a_shutdown_at_once_are_one_of_them(powered: Powered) -> None:
    powered.logind.script(
        {**GOOD, "power.reboot": [{"slow": 500, "reply": {}}], "power.power-off": [{"slow": 500, "reply": {}}]}
    )
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(powered.power, ["reboot", "shutdown"]))
    assert sorted(answer.status for answer in answers) == [202, 423]
    assert len(powered.asked()) == 1


def test_nothing_changes_the_device_while_it_goes_down(powered: Powered) -> None:
    supervisor = powered.supervisor
    powered.logind.script({**GOOD, "power.reboot": [{"slow": 3000, "reply": {}}]})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(powered.power, "reboot")
        powered.logind.wait_received("power.reboot")
        for method, path, body in [
            ("POST", "/v1/restart", {"appId": target.APP}),
            ("POST", "/v1/purge", {"appId": target.APP}),
            ("POST", f"/v1/apps/{target.APP}/start", None),
            ("POST", f"/v1/apps/{target.APP}/stop", None),
            ("POST", "/v1/regenerate-api-key", None),
        ]:
            refused = supervisor.api(method, path, body)
            assert refused.status == 503 and refused.header("Retry-After"), (path, refused)
        # A check may be asked for, and starts nothing.
        assert supervisor.api("POST", "/v1/update").status == 204
        supervisor.write_target(target.app(release="b", image="demo:2"))
        assert supervisor.api("GET", "/v1/device").status == 200
        stays(powered.stopped, 1, "the planner starts nothing")
        assert answer.result(20).status == 202
    stays(powered.stopped, 1, "nor after the answer")


def test_the_app_itself_reboots_the_device(powered: Powered) -> None:
    """A container that asks is stopped with everything else, and its request goes on without it."""
    supervisor = powered.supervisor
    container = supervisor.settled(release="a")["Id"]
    supervisor.engine.shell(
        container,
        "wget -qO- --post-data '' \"$RESIN_SUPERVISOR_ADDRESS/v1/reboot?apikey=$RESIN_SUPERVISOR_API_KEY\" &",
    )
    powered.logind.wait_received("power.reboot", deadline=30)
    assert powered.stopped()
    assert powered.asked() == ["power.reboot"]


def test_a_client_that_hangs_up_ends_nothing(powered: Powered) -> None:
    supervisor = powered.supervisor
    with Connection(supervisor.address) as connection:
        connection.send(request("POST", "/v1/reboot", [("Authorization", f"Bearer {supervisor.key}")], b""))
    powered.logind.wait_received("power.reboot")
    wait_until(powered.stopped, 5, "the app is stopped")


@pytest.mark.parametrize(
    "behaviour", [{"crash": True}, {"dieAfterBytes": 5}, {"hang": True}, {"closeOutput": True}], ids=lambda value: next(iter(value))
)
@pytest.mark.parametrize("preparing", ["reboot", "none"])
def test_an_unknown_outcome_is_asked_for_and_the_request_never_sent_twice(
    powered: Powered, behaviour: dict[str, Any], preparing: str
) -> None:
    powered.logind.script({"power.status": [{"reply": {"preparing": preparing}}], "power.reboot": [behaviour]})
    response = powered.power("reboot")
    assert powered.asked() == ["power.reboot"]
    powered.logind.wait_received("power.status")
    if preparing == "reboot":
        assert (response.status, response.body) == (202, ACCEPTED)
        stays(powered.stopped, 2, "nothing is started")
    else:
        assert response.status in (500, 503, 504), response
        is_error_object(response, response.status)
        powered.runs()
    stays(lambda: powered.asked() == ["power.reboot"], 1, "never twice")


def test_two_apps_are_stopped_together_or_not_at_all(
    supervisor: Supervisor, engine: Engine
) -> None:
    powered = Powered(supervisor)
    supervisor.write_target(target.app(), target.app(app_id=target.OTHER))
    supervisor.start()
    supervisor.wait_settled(app=target.APP)
    supervisor.wait_settled(app=target.OTHER)
    (supervisor.lock_folder(target.OTHER) / "updates.lock").touch()
    is_error_object(powered.power("reboot"), 423)
    assert engine.running(target.APP) and engine.running(target.OTHER)
    assert not (supervisor.lock_folder(target.APP) / "updates.lock").exists(), "a lock of ours stayed"
    (supervisor.lock_folder(target.OTHER) / "updates.lock").unlink()
    assert powered.power("reboot").status == 202
    assert powered.stopped()


@pytest.mark.alone
def test_the_apps_are_stopped_in_parallel(supervisor: Supervisor, engine: Engine) -> None:
    powered = Powered(supervisor)
    stubborn = {"command": ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"], "stop_grace_period": "3s"}
    supervisor.write_target(target.app(**stubborn), target.app(app_id=target.OTHER, **stubborn))
    supervisor.start()
    supervisor.wait_settled(app=target.APP)
    supervisor.wait_settled(app=target.OTHER)
    begin = time.monotonic()
    with PingProbe(supervisor) as probe:
        assert powered.power("reboot").status == 202
    assert 2.5 < time.monotonic() - begin < 5.5
    assert probe.percentile(0.99) < 0.05, f"{probe.worst}"


def test_a_killed_supervisor_runs_the_app_again(powered: Powered) -> None:
    """kill -9 between the stop and the answer of the host: the next one begins like after a boot."""
    powered.logind.script({**GOOD, "power.reboot": [{"hang": True}]})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(lambda: pytest.raises(ConnectionError, powered.power, "reboot"))
        powered.logind.wait_received("power.reboot")
        powered.supervisor.kill()
        answer.result(20)
    powered.supervisor.start()
    powered.runs()
    assert powered.asked() == ["power.reboot"]
