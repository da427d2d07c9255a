"""The uplink: registration, commands of the bus, and what must not happen twice, late, or elsewhere."""

from __future__ import annotations

import json
import os
import secrets
import stat
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness.cloud import Answer, Bus, BusClient, Call, Cloud, authority, certificate
from harness import target as targets
from harness.supervisor import Supervisor
from harness.uplink import TOKEN, Uplink
from harness.waiting import wait_until


@pytest.fixture
def new_uplink(supervisor: Supervisor, tmp_path: Path) -> Iterator[Callable[..., Uplink]]:
    made: list[Uplink] = []

    def make(cloud: Cloud | None = None, with_bus: bool = True, **settings: str) -> Uplink:
        bus = Bus(tmp_path) if with_bus else None
        uplink = Uplink(supervisor, cloud or Cloud(), bus, **settings)
        made.append(uplink)
        return uplink

    yield make
    for uplink in made:
        print(f"--- uplink\n{uplink.log[-6000:]}")
        uplink.dispose()


@pytest.fixture
def connected(supervisor: Supervisor, new_uplink: Callable[..., Uplink]) -> Uplink:
    uplink = new_uplink()
    uplink.start()
    supervisor.start()
    uplink.wait_status(registered=True, connected=True)
    return uplink


@pytest.fixture
def caller(connected: Uplink) -> Iterator[BusClient]:
    assert connected.bus
    client = BusClient(connected.bus)
    yield client
    client.close()


def command(method: str = "GET", url: str = "/ping", **more: Any) -> dict[str, Any]:
    late = int((time.time() + 50) * 1000)
    return {"id": secrets.token_hex(32), "method": method, "url": url, "notAfter": late, "actor": "token:alice", **more}


def subject(uplink: Uplink, kind: str = "call") -> str:
    return f"sup.v1.dev.{uplink.identity['uuid']}.{kind}"


# ---- registration


def test_it_registers_once_and_keeps_its_key(supervisor: Supervisor, new_uplink: Callable[..., Uplink]) -> None:
    uplink = new_uplink()
    uplink.start()
    supervisor.start()
    status = uplink.wait_status(registered=True, connected=True)
    (call,) = uplink.cloud.named("POST /device/register")
    assert call.key == TOKEN
    device = supervisor.control_json("/control/status")["device"]
    assert call.json["uuid"] == device["uuid"] == status["uuid"]
    assert call.json["application"] == 1000001 and call.json["device_type"] == device["type"]
    assert len(call.json["api_key"]) == 32
    kept = uplink.state / "identity.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert uplink.identity["deviceKey"] == call.json["api_key"] and uplink.identity["deviceId"] == 99
    uplink.restart()
    uplink.cloud.wait_called("POST /bus/v1/credentials", 2)
    assert len(uplink.cloud.named("POST /device/register")) == 1
    for secret in (TOKEN, call.json["api_key"]):
        assert secret not in uplink.log


def test_a_service_that_fails_is_asked_again_with_the_same_key(
    supervisor: Supervisor, new_uplink: Callable[..., Uplink]
) -> None:
    uplink = new_uplink()
    keys: list[str] = []

    def fails_first(call: Call) -> Answer:
        keys.append(call.json["api_key"])
        # It has registered the device, and its answer is lost.
        return Answer(raw=b"HTTP/1.1 201 Cre") if len(keys) == 1 else Answer(409, "\"uuid\" must be unique.")

    def device(call: Call) -> Answer:
        return Answer(200, {"d": [{"id": 7}]}) if call.key == keys[0] else Answer(401)

    uplink.cloud.answers["POST /device/register"] = fails_first
    uuid = "0123456789abcdef0123456789abcdef"
    supervisor.settings.setdefault("Device", {})["UUID"] = uuid
    supervisor.write_config()
    uplink.cloud.answers[f"GET /v7/device(uuid='{uuid}')?$select=id"] = device
    uplink.start()
    supervisor.start()
    uplink.wait_status(registered=True, deviceId=7)
    assert len(keys) == 2 and keys[0] == keys[1]


def test_a_device_that_lost_its_key_gives_the_service_a_new_one(
    supervisor: Supervisor, new_uplink: Callable[..., Uplink]
) -> None:
    uplink = new_uplink()
    uuid = "0123456789abcdef0123456789abcdef"
    supervisor.settings.setdefault("Device", {})["UUID"] = uuid
    supervisor.write_config()
    uplink.cloud.answers["POST /device/register"] = Answer(409, "\"uuid\" must be unique.")
    uplink.cloud.answers[f"GET /v7/device(uuid='{uuid}')?$select=id"] = lambda call: (
        Answer(200, {"d": [{"id": 8}]}) if call.key == TOKEN else Answer(401)
    )
    uplink.cloud.answers["POST /api-key/device/8/device-key"] = Answer(200)
    uplink.start()
    supervisor.start()
    uplink.wait_status(registered=True, deviceId=8)
    (call,) = uplink.cloud.named("POST /api-key/device/8/device-key")
    assert call.key == TOKEN and call.json == {"apiKey": uplink.identity["deviceKey"]}


def test_a_refusal_is_shown_with_its_reason(supervisor: Supervisor, new_uplink: Callable[..., Uplink]) -> None:
    uplink = new_uplink()
    uplink.cloud.answers["POST /device/register"] = Answer(401, {"error": "API key required"})
    uplink.start()
    supervisor.start()
    uplink.cloud.wait_called("POST /device/register")
    status = wait_until(lambda: (s := uplink.status)["error"] and s, 5, "there is an error")
    assert not status["registered"] and "401" in status["error"] and "API key required" in status["error"]
    done = uplink.ctl("register")
    assert done.returncode == 1 and "API key required" in done.stderr
    uplink.cloud.answers["POST /device/register"] = uplink.registers
    assert uplink.ctl("register").returncode == 0
    assert uplink.status["registered"]


@pytest.mark.parametrize("trusted", [True, False])
def test_the_certificate_is_checked(
    trusted: bool, supervisor: Supervisor, new_uplink: Callable[..., Uplink], tmp_path: Path
) -> None:
    ca = authority(tmp_path)
    cloud = Cloud(certificate(tmp_path, ca, "DNS:localhost"))
    uplink = new_uplink(cloud, with_bus=False, **({"CAFile": str(ca[0])} if trusted else {}))
    uplink.start()
    supervisor.start()
    if trusted:
        uplink.wait_status(registered=True)
    else:
        uplink.logged("its certificate is not trusted")
        assert not cloud.calls


def test_a_certificate_for_another_name_is_refused(
    supervisor: Supervisor, new_uplink: Callable[..., Uplink], tmp_path: Path
) -> None:
    ca = authority(tmp_path)
    cloud = Cloud(certificate(tmp_path, ca, "DNS:other.example"))
    uplink = new_uplink(cloud, with_bus=False, CAFile=str(ca[0]))
    uplink.start()
    supervisor.start()
    uplink.logged("its certificate is for another name")
    assert not cloud.calls


def test_the_key_goes_to_its_origin_alone(supervisor: Supervisor, new_uplink: Callable[..., Uplink]) -> None:
    elsewhere = Cloud()
    uplink = new_uplink(with_bus=False)
    uplink.cloud.answers["POST /device/register"] = Answer(307, headers={"Location": f"{elsewhere.address}/x"})
    uplink.start()
    supervisor.start()
    uplink.logged("which is another origin; it was not followed")
    assert not elsewhere.calls
    elsewhere.stop()
    uplink.cloud.answers["POST /device/register"] = Answer(307, headers={"Location": "/moved"})
    uplink.cloud.answers["POST /moved"] = uplink.registers
    uplink.ctl("register")
    uplink.wait_status(registered=True)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(201, {"id": "x"}),
        Answer(201, []),
        Answer(raw=b"nonsense\r\n\r\n"),
        Answer(raw=b"HTTP/1.1 201 Created\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 5_000_000),
        Answer(raw=b""),
        Answer(503, headers={"Retry-After": "1"}),
    ],
    ids=["id", "list", "garbage", "large", "nothing", "busy"],
)
def test_a_bad_answer_is_no_end(answer: Answer, supervisor: Supervisor, new_uplink: Callable[..., Uplink]) -> None:
    uplink = new_uplink(with_bus=False)
    uplink.cloud.answers["POST /device/register"] = answer
    uplink.start()
    supervisor.start()
    uplink.logged("Not registered, trying again")
    uplink.cloud.answers["POST /device/register"] = uplink.registers
    uplink.wait_status(registered=True)


def test_an_operator_disconnects_and_registers_again(connected: Uplink, caller: BusClient) -> None:
    assert connected.ctl("disconnect").returncode == 0
    connected.wait_status(disconnected=True, connected=False)
    assert caller.request(subject(connected), command()) is None, "nothing serves the subject"
    connected.restart()
    connected.wait_status(disconnected=True, connected=False)
    assert "disconnected by an operator" in connected.ctl("status").stdout
    assert connected.ctl("register").returncode == 0
    connected.wait_status(disconnected=False, connected=True)
    assert len(connected.cloud.named("POST /device/register")) == 1


# ---- commands


def test_a_command_reaches_the_supervisor(connected: Uplink, caller: BusClient, supervisor: Supervisor) -> None:
    sent = command("GET", "/ping")
    answer = caller.request(subject(connected), sent)
    assert answer == {"id": sent["id"], "status": 200, "contentType": "text/plain; charset=utf-8", "body": "OK"}
    assert caller.request(subject(connected), command("GET", "//ping"))["status"] == 200
    answer = caller.request(subject(connected), command("GET", "/v1/device"))
    assert json.loads(answer["body"])["api_port"] == supervisor.port
    answer = caller.request(subject(connected), command("POST", "/v1/update", body='{"force":false}'))
    assert (answer["status"], answer["body"]) == (204, "")
    supervisor.logged("token:alice")
    assert caller.request(subject(connected), command("GET", "/control/key"))["status"] == 404


@pytest.mark.parametrize("url", ["", "ping", "/ping?apikey=x", "/a#b", "/a b", "/a\r\nX: y", "/é", "/" + "a" * 1024, 7])
def test_only_a_path_is_a_url(url: Any, connected: Uplink, caller: BusClient) -> None:
    answer = caller.request(subject(connected), command("GET", url))
    assert answer["status"] == 400 and "path" in answer["body"]


@pytest.mark.parametrize(
    "message",
    [b"", b"{", b"[]", b'{"id":"../x","method":"GET"}', b"\xff" * 100, b"[" * 10_000, b"x" * 300_000],
    ids=["empty", "half", "list", "id", "bytes", "deep", "large"],
)
def test_nonsense_is_answered_and_hurts_nothing(message: bytes, connected: Uplink, caller: BusClient) -> None:
    assert caller.request(subject(connected), message)["status"] == 400
    assert caller.request(subject(connected), command())["status"] == 200


def test_another_version_is_named(connected: Uplink, caller: BusClient) -> None:
    answer = caller.request(subject(connected), command(), {"Sup-Version": "2"})
    assert answer["status"] == 505 and "version 1" in answer["body"]


def test_what_comes_too_late_is_not_done(connected: Uplink, caller: BusClient, supervisor: Supervisor) -> None:
    late = command("POST", "/v1/update", notAfter=int((time.time() - 1) * 1000))
    assert caller.request(subject(connected), late)["status"] == 504
    assert late["id"] not in supervisor.log
    # Read when the device wakes.
    assert connected.process
    connected.process.freeze()
    frozen = command("POST", "/v1/update", notAfter=int((time.time() + 1) * 1000))
    inbox = caller.begin(subject(connected), frozen)
    time.sleep(1.5)
    connected.process.thaw()
    where, answer = caller.receive()
    assert where == inbox and answer and answer["status"] == 504
    assert frozen["id"] not in supervisor.log


def test_a_command_is_done_once(connected: Uplink, caller: BusClient, supervisor: Supervisor) -> None:
    sent = command("POST", "/v1/update")
    first = caller.request(subject(connected), sent)
    assert first == caller.request(subject(connected), sent)
    connected.restart()
    connected.wait_status(connected=True)
    answer = caller.request(subject(connected), sent)
    assert answer["status"] == 409 and "already done" in answer["body"]
    assert supervisor.log.count(f"request-id={sent['id']}") == 1


def test_the_id_is_on_the_disk_before_the_supervisor_is_asked(
    connected: Uplink, caller: BusClient, supervisor: Supervisor
) -> None:
    # A supervisor that accepts and is silent, as one that reboots the device is.
    supervisor.process.freeze()  # type: ignore[union-attr]
    sent = command("POST", "/v1/update")
    caller.begin(subject(connected), sent)
    wait_until(lambda: sent["id"] in (connected.state / "commands").read_text(), 5, "the id is on the disk")
    connected.stop()
    supervisor.process.thaw()  # type: ignore[union-attr]
    connected.start()
    connected.wait_status(connected=True)
    assert caller.request(subject(connected), sent)["status"] == 409


def test_a_repetition_while_it_runs_gets_the_same_answer(
    connected: Uplink, caller: BusClient, supervisor: Supervisor
) -> None:
    supervisor.process.freeze()  # type: ignore[union-attr]
    sent = command("POST", "/v1/update")
    inboxes = {caller.begin(subject(connected), sent) for _ in range(3)}
    time.sleep(0.3)
    supervisor.process.thaw()  # type: ignore[union-attr]
    answers = dict(caller.receive() for _ in range(3))
    assert set(answers) == inboxes and {answer["status"] for answer in answers.values() if answer} == {204}
    assert supervisor.log.count(f"request-id={sent['id']}") == 1


def test_a_secret_answer_is_not_kept(connected: Uplink, caller: BusClient, supervisor: Supervisor) -> None:
    sent = command("POST", "/v1/regenerate-api-key")
    answer = caller.request(subject(connected), sent)
    assert answer["status"] == 200 and answer["body"] == supervisor.key
    again = caller.request(subject(connected), sent)
    assert again["status"] == 409 and supervisor.key not in again["body"]
    assert supervisor.key not in connected.log


def test_without_the_supervisor_the_device_can_be_reached(
    connected: Uplink, caller: BusClient, supervisor: Supervisor
) -> None:
    supervisor.kill()
    sent = command("POST", "/v1/update")
    answer = caller.request(subject(connected), sent)
    assert answer["status"] == 503 and "the supervisor on this device does not answer" in answer["body"]
    supervisor.start()
    # It was not done, so it may come again.
    wait_until(lambda: caller.request(subject(connected), sent)["status"] == 204, 10, "it is done")


def test_a_full_disk_refuses_what_must_not_be_done_twice(
    connected: Uplink, caller: BusClient, supervisor: Supervisor
) -> None:
    # A directory in its place takes no file.
    for name in ("commands", "commands.new"):
        (connected.state / name).unlink(missing_ok=True)
        (connected.state / name).mkdir()
        (connected.state / name / "x").touch()
    sent = command("POST", "/v1/update")
    answer = caller.request(subject(connected), sent)
    assert answer["status"] == 503 and "cannot record" in answer["body"]
    assert sent["id"] not in supervisor.log
    assert caller.request(subject(connected), command("GET", "/ping"))["status"] == 200


def test_the_bus_comes_back(connected: Uplink, supervisor: Supervisor) -> None:
    assert connected.bus
    connected.bus.kill()
    connected.wait_status(connected=False)
    assert supervisor.control_json("/control/status")["uplink"]["connected"] is False
    connected.bus.start()
    connected.wait_status(connected=True)
    client = BusClient(connected.bus)
    assert client.request(subject(connected), command())["status"] == 200


def test_one_thread_does_all(connected: Uplink, caller: BusClient) -> None:
    for _ in range(20):
        assert caller.request(subject(connected), command("POST", "/v1/update"))["status"] == 204
    wait_until(lambda: connected.threads == 1, 5, "one thread is left")
    # Dispatch would keep its threads.
    time.sleep(2)
    assert connected.threads == 1


def test_many_at_once_are_answered(connected: Uplink, caller: BusClient) -> None:
    inboxes = {caller.begin(subject(connected), command()) for _ in range(100)}
    answers = dict(caller.receive() for _ in range(100))
    assert set(answers) == inboxes
    assert {answer["status"] for answer in answers.values() if answer} <= {200, 503}


# ---- the target


def source(supervisor: Supervisor) -> str:
    return supervisor.control_json("/control/status")["update"]["targetSource"]


def wants(uplink: Uplink, release: str) -> None:
    """The service wants this release from now on."""
    state = {"local": targets.state(targets.app(release=release)), "dependent": {"apps": {}, "devices": {}}}
    uplink.wanted = Answer(200, state, {"ETag": f'W/"{release}"'})


def test_the_services_target_replaces_the_files(
    supervisor: Supervisor, new_uplink: Callable[..., Uplink]
) -> None:
    supervisor.write_target(targets.app(release="a"))
    uplink = new_uplink()
    uplink.start()
    supervisor.start()
    uplink.wait_status(registered=True, connected=True)
    wait_until(lambda: uplink.polls, 5, "the service is asked")
    supervisor.wait_settled(release="a")
    assert source(supervisor) == "file", "the service has not named a target yet"
    wants(uplink, "b")
    assert uplink.bus
    client = BusClient(uplink.bus)
    client.publish(subject(uplink, "poke"), b"")
    supervisor.wait_settled(release="b")
    assert source(supervisor) == "cloud"
    # What is changed in the file does not count meanwhile.
    supervisor.write_target(targets.app(release="a"))
    count = len(uplink.polls)
    supervisor.update()
    wait_until(lambda: len(uplink.polls) > count, 5, "an update asks the service first")
    assert uplink.polls[-1].headers["if-none-match"] == 'W/"b"'
    supervisor.wait_settled(release="b")
    # After a start without the service, too.
    uplink.stop()
    supervisor.restart()
    supervisor.wait_settled(release="b")
    assert source(supervisor) == "cloud"


def test_a_target_that_is_wrong_changes_nothing(supervisor: Supervisor, new_uplink: Callable[..., Uplink]) -> None:
    supervisor.write_target(targets.app(release="a"))
    uplink = new_uplink()
    wants(uplink, "b")
    uplink.start()
    supervisor.start()
    supervisor.wait_settled(release="b")
    for wrong in (
        Answer(200, {"local": {"apps": {"x": {}}}}),
        Answer(200, {"nothing": 1}),
        Answer(200, []),
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{"),
        Answer(500),
    ):
        uplink.wanted = wrong
        count = len(uplink.polls)
        supervisor.update()
        wait_until(lambda: len(uplink.polls) > count, 5, "the service is asked")
        supervisor.wait_settled(release="b")
    wants(uplink, "a")
    supervisor.update()
    supervisor.wait_settled(release="a")


def test_a_device_that_leaves_keeps_what_runs(supervisor: Supervisor, new_uplink: Callable[..., Uplink]) -> None:
    supervisor.write_target(targets.app(release="a"))
    uplink = new_uplink()
    wants(uplink, "b")
    uplink.start()
    supervisor.start()
    container = supervisor.wait_settled(release="b")
    assert uplink.ctl("disconnect").returncode == 0
    wait_until(lambda: source(supervisor) == "file", 10, "the file counts again")
    assert not (uplink.target_folder / "target.json").exists()
    kept = json.loads(supervisor.target_file.read_text())
    assert targets.commit("b") in json.dumps(kept)
    supervisor.restart()
    assert supervisor.wait_settled(release="b")["Id"] == container["Id"], "nothing is recreated"


def test_a_service_of_protocol_v3_is_understood(supervisor: Supervisor, new_uplink: Callable[..., Uplink]) -> None:
    uplink = new_uplink()
    uuid = "0123456789abcdef0123456789abcdef"
    supervisor.settings.setdefault("Device", {})["UUID"] = uuid
    supervisor.write_config()
    local = targets.state(targets.app(release="a"))
    ((app_id, app),) = local["apps"].items()
    services = {}
    for service_id, service in app["services"].items():
        own = {"id": int(service_id), "image_id": service["imageId"], "image": service["image"]}
        own |= {name: service[name] for name in ("running", "environment", "labels") if name in service}
        rest = {key: value for key, value in service.items() if key not in {*own, "imageId", "serviceName"}}
        services[service["serviceName"]] = {**own, "composition": rest}
    release = {"id": 7, "services": services, "volumes": {}, "networks": {}}
    app_v3 = {"id": int(app_id), "name": app["name"], "class": "fleet", "releases": {app["commit"]: release}}
    v3 = {uuid: {"name": "still-river", "config": {}, "apps": {"a" * 32: app_v3}}}
    uplink.cloud.answers[f"GET /device/v3/{uuid}/state"] = Answer(200, v3)

    def registers(call: Call) -> Answer:
        answer = uplink.registers(call)
        uplink.cloud.answers[f"GET /device/v2/{uuid}/state"] = Answer(404)
        return answer

    uplink.cloud.answers["POST /device/register"] = registers
    uplink.start()
    supervisor.start()
    supervisor.wait_settled(release="a")
    assert supervisor.control_json("/control/status")["device"]["name"] == "still-river"


# ---- reports


def test_the_state_is_reported_and_no_more_than_has_changed(
    supervisor: Supervisor, new_uplink: Callable[..., Uplink]
) -> None:
    supervisor.write_target(targets.app(release="a"))
    uplink = new_uplink()
    uplink.start()
    supervisor.start()
    supervisor.wait_settled(release="a")

    def told() -> dict[str, Any]:
        app = uplink.known["apps"][str(targets.APP)]
        assert app["commit"] == targets.commit("a") and app["services"]["main"]["status"] == "running", uplink.known
        return uplink.known

    known = wait_until(told, 30, "the service knows what runs")
    assert known["is_on__commit"] == targets.commit("a") and known["api_port"] == supervisor.port
    assert supervisor.key not in json.dumps(known)
    first, *others = uplink.reports
    assert "os_version" in first.json["local"]
    for report in others:
        assert "os_version" not in report.json["local"], "the service knows it"
    count = len(uplink.reports)
    supervisor.update()
    time.sleep(3)
    assert len(uplink.reports) == count, "nothing has changed"


def test_a_report_that_is_refused_comes_again_as_the_state_of_then(
    supervisor: Supervisor, new_uplink: Callable[..., Uplink]
) -> None:
    uplink = new_uplink()
    refused: list[Call] = []

    def registers(call: Call) -> Answer:
        answer = uplink.registers(call)

        def takes(call: Call) -> Answer:
            if refused:
                return uplink.takes(call)
            refused.append(call)
            return Answer(503, headers={"Retry-After": "1"})

        uplink.cloud.answers[f"PATCH /device/v2/{call.json['uuid']}/state"] = takes
        return answer

    uplink.cloud.answers["POST /device/register"] = registers
    uplink.start()
    supervisor.start()
    wait_until(lambda: uplink.known, 30, "the report comes again")
    assert set(refused[0].json["local"]) <= set(uplink.known)
