"""POST /supervisor/<url>, row by row."""

from __future__ import annotations

import http.client
import json
import secrets
import threading
import time
from typing import Any

import pytest
import requests

from fleet import BUS, Device, Fleet, ok

NOBODY = (404, '"No online device(s) found"')


def send(fleet: Fleet, url: str, body: Any, **options: Any) -> Any:
    return fleet.ask("POST", f"/supervisor{url}", body, **options)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, '"At least one filter must be specified"'),
        (None, 400, '"At least one filter must be specified"'),
        ({"uuid": None, "appId": None}, 400, '"At least one filter must be specified"'),
        ({"appId": "x1"}, 400, '"App ID must be a valid integer if specified"'),
        ({"deviceId": "1.5"}, 400, '"Device ID must be a valid integer if specified"'),
        ({"deviceId": 1.5}, 400, '"Device ID must be a valid integer if specified"'),
        ({"appId": "9" * 40}, 400, '"App ID must be a valid integer if specified"'),
        ({"appId": True}, 400, ""),
        ({"uuid": ""}, 400, ""),
        ({"uuid": 7}, 400, ""),
        ({"appId": 1001, "method": "TRACE"}, 400, ""),
        ({"appId": 1001, "method": 5}, 400, ""),
        ({"appId": 1001, "data": []}, 400, ""),
        ({"appId": 1001, "data": "text"}, 400, ""),
        ("{", 400, ""),
        ("[]", 400, ""),
        ("\x00", 400, ""),
        ({"uuid": "*"}, *NOBODY),
        ({"uuid": ">"}, *NOBODY),
        ({"uuid": "0" * 32}, *NOBODY),
        ({"deviceId": -3}, *NOBODY),
        ({"appId": 424242}, *NOBODY),
    ],
)
def test_a_request_that_reaches_no_device(fleet: Fleet, body: Any, status: int, text: str) -> None:
    answer = send(fleet, "/v1/blink", body)
    assert (answer.status_code, answer.text) == (status, text)


@pytest.mark.parametrize("filters", [["uuid"], ["deviceId"], ["appId", "uuid"], ["deviceId", "appId"], ["all"]])
def test_each_filter_and_their_combination_reach_the_device(fleet: Fleet, device: Device, filters: list[str]) -> None:
    known = {"uuid": device.uuid, "deviceId": str(device.id), "appId": device.application}
    body = known if filters == ["all"] else {name: known[name] for name in filters}
    answer = send(fleet, "/v1/blink", body | {"ignored": 1})
    assert (answer.status_code, answer.text) == (200, "OK")
    command = device.commands[-1]
    assert (command["method"], command["url"]) == ("POST", "/v1/blink") and "body" not in command
    assert command["headers"] == {"Sup-Version": "1"} and command["actor"] == "token:admin"
    assert len(command["id"]) == 64 and 0 < command["notAfter"] - time.time() * 1000 < 3000


def test_filters_are_anded(fleet: Fleet, device: Device) -> None:
    other = fleet.ask("GET", "/api/v1/applications/many").json()["id"]
    answer = send(fleet, "/v1/blink", {"uuid": device.uuid, "appId": other})
    assert (answer.status_code, answer.text) == NOBODY and not device.commands


@pytest.mark.parametrize("method", ["get", "PUT", "Patch", "POST", "HEAD", "delete"])
def test_method_and_data_reach_the_device(fleet: Fleet, device: Device, method: str) -> None:
    data = {"b": 1, "a": ["ü", None]}
    answer = send(fleet, "//ping", {"uuid": device.uuid, "method": method, "data": data}, token=fleet.admin)
    assert answer.status_code == 200
    command = device.commands[-1]
    assert (command["method"], command["url"], json.loads(command["body"])) == (method.upper(), "//ping", data)


def test_the_query_is_not_passed_on(fleet: Fleet, device: Device) -> None:
    assert send(fleet, "/v1/blink?apikey=x&a=b", {"uuid": device.uuid}).status_code == 200
    assert device.commands[-1]["url"] == "/v1/blink"


@pytest.mark.parametrize(
    ("reply", "status", "kind", "text"),
    [
        ((202, "application/json", '{"Data" : "OK"}'), 202, "application/json; charset=utf-8", '{"Data":"OK"}'),
        ((423, "application/json", '{"status":"failed"}'), 423, "application/json; charset=utf-8", '{"status":"failed"}'),
        ((200, "text/plain", "It's fine: 1/2, ok?\n"), 200, "text/plain; charset=utf-8", "It's fine: 1/2, ok?\n"),
        ((200, "text/html", "OK"), 200, "text/plain; charset=utf-8", "OK"),
        ((204, None, ""), 204, None, ""),
        ((200, "text/plain", "<b>"), 500, None, None),
        ((200, "text/plain", "a_b"), 500, None, None),
        ((200, "application/json", "{"), 500, None, None),
        ((200, "application/xml", "<a/>"), 500, None, None),
        ((200, None, "text"), 500, None, None),
        ((99, "text/plain", "OK"), 500, None, None),
        (b"garbage", 500, None, None),
        (b'{"id":"other","status":200,"body":""}', 500, None, None),
        (b"", 500, None, None),
    ],
)
def test_what_a_device_answers_is_passed_on_or_refused(
    fleet: Fleet, reply: Any, status: int, kind: str | None, text: str | None
) -> None:
    device = fleet.device("one").connect(lambda _: reply)
    answer = send(fleet, "/v1/update", {"uuid": device.uuid})
    device.close()
    if text is None:
        kind, text = "application/json; charset=utf-8", '{"error":"Bad API response from supervisor"}'
    assert (answer.status_code, answer.headers.get("Content-Type"), answer.text) == (status, kind, text)


def test_an_answer_that_is_too_large_is_502(fleet: Fleet) -> None:
    device = fleet.device("one").connect(lambda _: (200, "application/json", json.dumps("x" * 400_000)))
    answer = send(fleet, "/v1/device", {"uuid": device.uuid})
    device.close()
    assert answer.status_code == 502 and "larger than" in answer.json()["error"]


def test_a_command_that_is_too_large_is_413(fleet: Fleet, device: Device) -> None:
    answer = send(fleet, "/v1/update", {"uuid": device.uuid, "data": {"a": "x" * 262_144}})
    assert answer.status_code == 413 and not device.commands


def test_a_silent_device_is_504_and_one_that_goes_away_is_404_afterwards(fleet: Fleet) -> None:
    device = fleet.device("one").connect(lambda _: None)
    answer = send(fleet, "/v1/blink", {"uuid": device.uuid})
    assert answer.status_code == 504 and len(device.commands) == 1
    device.close()
    answer = send(fleet, "/v1/blink", {"uuid": device.uuid})
    assert (answer.status_code, answer.text) == NOBODY


@pytest.mark.parametrize("url", ["/" + "a" * 1024, "/v1/%ff#x"])
def test_a_url_that_is_no_path_is_400(fleet: Fleet, device: Device, url: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", fleet.port)
    body = json.dumps({"uuid": device.uuid})
    connection.request("POST", "/supervisor" + url, body, {"Authorization": f"Bearer {fleet.admin}"})
    assert connection.getresponse().status == 400 and not device.commands


def test_only_post_is_allowed(fleet: Fleet) -> None:
    answer = fleet.ask("GET", "/supervisor/v1/blink")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


class TestManyDevices:
    @pytest.fixture
    def devices(self, fleet: Fleet) -> Any:
        locked = (423, "application/json", '{"error":"locked"}')
        accepted = (202, "application/json", '{"Data":"OK"}')
        replies = [accepted, locked, None, b"garbage"]
        made = [fleet.device("many").connect(lambda _, reply=reply: reply) for reply in replies]
        made.append(fleet.device("many"))
        yield made
        for device in made:
            device.close()
            fleet.ask("POST", f"/api/v1/devices/{device.uuid}/revoke")

    def test_several_are_answered_by_207_in_the_order_of_their_ids(self, fleet: Fleet, devices: list[Device]) -> None:
        answer = send(fleet, "/v1/reboot", {"appId": devices[0].application})
        assert answer.status_code == 207
        bad = {"error": "Bad API response from supervisor"}
        assert answer.json() == [
            {"uuid": devices[0].uuid, "statusCode": 202, "body": {"Data": "OK"}},
            {"uuid": devices[1].uuid, "statusCode": 423, "body": {"error": "locked"}},
            {"uuid": devices[2].uuid, "statusCode": 504, "body": {"error": "the device did not answer in time"}},
            {"uuid": devices[3].uuid, "statusCode": 500, "body": bad},
        ]

    def test_lines_have_the_offline_ones_and_a_summary(self, fleet: Fleet, devices: list[Device]) -> None:
        answer = send(fleet, "/v1/reboot", {"appId": devices[0].application}, Accept="application/x-ndjson")
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert {line["uuid"]: line["statusCode"] for line in lines[:-1]} == dict(
            zip([device.uuid for device in devices], [202, 423, 504, 500, 404])
        )
        codes = {"202": 1, "404": 1, "423": 1, "500": 1, "504": 1}
        assert lines[-1] == {"summary": {"devices": 5, "statusCodes": codes}}


def test_one_device_of_an_application_is_answered_alone(fleet: Fleet) -> None:
    application = fleet.application("single")
    device = fleet.device("single").connect(ok)
    fleet.device("single")
    answer = send(fleet, "/v1/blink", {"appId": application})
    device.close()
    assert (answer.status_code, answer.text) == (200, "OK")


def test_the_same_key_makes_the_same_id_and_with_another_request_422(fleet: Fleet, device: Device) -> None:
    for _ in range(2):
        assert send(fleet, "/v1/reboot", {"uuid": device.uuid}, Idempotency_Key="k1").status_code == 200
    other = send(fleet, "/v1/shutdown", {"uuid": device.uuid}, Idempotency_Key="k1")
    assert other.status_code == 422
    send(fleet, "/v1/reboot", {"uuid": device.uuid})
    ids = [command["id"] for command in device.commands]
    assert len(ids) == 3 and ids[0] == ids[1] != ids[2]


def test_a_caller_that_goes_away_has_the_command_cancelled(fleet: Fleet) -> None:
    device = fleet.device("one").connect(lambda _: None)
    cancelled = threading.Event()
    seen: list[dict[str, Any]] = []

    async def listen() -> None:
        async def note(message: Any) -> None:
            seen.append(json.loads(message.data))
            cancelled.set()

        await device.client.subscribe(f"sup.v1.dev.{device.uuid}.cancel", cb=note)
        await device.client.flush()

    BUS.run(listen())
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(
            f"{fleet.url}/supervisor/v1/blink",
            json={"uuid": device.uuid},
            headers={"Authorization": f"Bearer {fleet.admin}"},
            timeout=0.5,
        )
    assert cancelled.wait(1.2)
    device.close()
    assert [message["id"] for message in seen] == [device.commands[0]["id"]]


def test_commands_share_a_connection(fleet: Fleet, device: Device) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", fleet.port)
    connection.connect()
    first = connection.sock
    for _ in range(5):
        body = json.dumps({"uuid": device.uuid})
        connection.request("POST", "/supervisor/v1/blink", body, {"Authorization": f"Bearer {fleet.admin}"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"OK")
        assert connection.sock is first
    connection.close()


def test_a_fan_out_over_more_than_the_window_reaches_every_device_once(fleet: Fleet) -> None:
    application = fleet.application("large")
    made = fleet.ask("POST", "/api/v1/applications/large/provisioning-tokens", {"devices": 1500}).json()["token"]
    first = fleet.device("large").connect(ok)
    session = requests.Session()
    for _ in range(1299):
        body = {"application": application, "uuid": secrets.token_hex(16), "device_type": "generic"}
        answer = session.post(
            f"{fleet.url}/device/register", json=body, headers={"Authorization": f"Bearer {made}"}, timeout=10
        )
        assert answer.status_code == 201
    answering = fleet.devices_of(application)
    with fleet.responder(answering[1:1200]) as received:
        answer = send(fleet, "/v1/blink", {"appId": application}, Accept="application/x-ndjson")
    first.close()
    summary = json.loads(answer.text.splitlines()[-1])
    assert summary == {"summary": {"devices": 1300, "statusCodes": {"200": 1200, "404": 100}}}
    assert sorted(received) == sorted(answering[1:1200])
