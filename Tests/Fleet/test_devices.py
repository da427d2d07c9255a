"""Registration, credentials of the bus, target states and reports."""

from __future__ import annotations

import json
import secrets
import signal
import time
from typing import Any, Callable

import pytest
import requests

from fleet import BUS, Device, Fleet, ok, wait_for


def register(fleet: Fleet, token: str | None, **fields: Any) -> requests.Response:
    one = fleet.ask("GET", "/api/v1/applications/one").json()["id"]
    body = {"application": one, "uuid": secrets.token_hex(16), "device_type": "generic"} | fields
    return fleet.ask("POST", "/device/register", {k: v for k, v in body.items() if v is not None}, token=token)


class TestRegistration:
    @pytest.fixture(scope="class")
    def token(self, fleet: Fleet) -> str:
        return fleet.run("app", "provision", "one")

    def test_a_key_is_made_where_none_is_given(self, fleet: Fleet, token: str) -> None:
        answer = register(fleet, token, application=str(fleet.ask("GET", "/api/v1/applications/one").json()["id"]))
        assert answer.status_code == 201 and set(answer.json()) == {"id", "uuid", "api_key"}
        state = fleet.ask("GET", f"/device/v3/{answer.json()['uuid']}/state", token=answer.json()["api_key"])
        assert state.status_code == 200

    def test_a_uuid_of_62_digits_is_one(self, fleet: Fleet, token: str) -> None:
        assert register(fleet, token, uuid="a" * 62).status_code == 201

    @pytest.mark.parametrize("uuid", ["*", ">", "a" * 31, "a" * 33, "A" * 32, "a" * 31 + "*", "a" * 31 + ".", None, 7])
    def test_anything_else_is_no_uuid(self, fleet: Fleet, token: str, uuid: Any) -> None:
        assert register(fleet, token, uuid=uuid).status_code == 400

    @pytest.mark.parametrize("fields", [{"application": None}, {"device_type": None}, {"api_key": "short"}])
    def test_what_is_missing_or_weak_is_400(self, fleet: Fleet, token: str, fields: Any) -> None:
        assert register(fleet, token, **fields).status_code == 400

    def test_a_uuid_that_is_taken_is_409(self, fleet: Fleet, token: str, device: Device) -> None:
        answer = register(fleet, token, uuid=device.uuid)
        assert (answer.status_code, answer.text) == (409, '"uuid" must be unique.')

    def test_without_a_credential_it_is_401(self, fleet: Fleet) -> None:
        answer = register(fleet, None)
        assert (answer.status_code, answer.json()) == (401, {"error": "API key required"})

    def test_another_application_is_403(self, fleet: Fleet, token: str) -> None:
        many = fleet.ask("GET", "/api/v1/applications/many").json()["id"]
        assert register(fleet, token, application=many).status_code == 403

    def test_a_token_registers_as_many_devices_as_it_may(self, fleet: Fleet) -> None:
        made = fleet.ask("POST", "/api/v1/applications/one/provisioning-tokens", {"devices": 1}).json()
        assert [register(fleet, made["token"]).status_code for _ in range(2)] == [201, 403]

    def test_a_provisioning_token_gives_a_new_key_only_until_the_device_has_used_its_own(self, fleet: Fleet) -> None:
        device = fleet.device("one")
        path = f"/api-key/device/{device.id}/device-key"
        new = secrets.token_hex(16)
        answer = fleet.ask("POST", path, {"apiKey": new}, token=device.provisioning)
        assert (answer.status_code, answer.json()) == (200, new)
        assert fleet.ask("GET", f"/device/v2/{device.uuid}/state", token=device.key).status_code == 401
        assert fleet.ask("GET", f"/device/v2/{device.uuid}/state", token=new).status_code == 200

        def exchange() -> int:
            return fleet.ask("POST", path, {"apiKey": secrets.token_hex(16)}, token=device.provisioning).status_code

        wait_for("the use of the key is noted", lambda: exchange() == 403)
        fleet.run("device", "reset-key", device.uuid)
        assert [exchange(), exchange()] == [200, 200]


class TestBus:
    def test_a_device_hears_its_own_subjects_only(self, fleet: Fleet) -> None:
        device, other = fleet.device("one").connect(ok), fleet.device("one").connect(ok)

        async def attempt() -> None:
            client = device.client
            for subject in (f"sup.v1.dev.{other.uuid}.call", "sup.v1.dev.*.call", "sup.>", ">", "_INBOX.>", "$SYS.>"):
                await client.subscribe(subject)
            for subject in (f"sup.v1.dev.{other.uuid}.call", "_INBOX.x", "$SYS.REQ.CLAIMS.UPDATE", "x"):
                await client.publish(subject, b"{}")
            await client.flush()

        BUS.run(attempt())
        wait_for("ten refusals", lambda: len([e for e in device.errors if "permissions violation" in e.lower()]) >= 10)
        fleet.ask("POST", "/supervisor/v1/blink", {"uuid": other.uuid})
        assert len(other.commands) == 1 and not device.commands
        device.close()
        other.close()

    def test_credentials_have_what_the_device_needs(self, fleet: Fleet, device: Device) -> None:
        _, given = device.credentials()
        assert given["servers"] == [f"nats://127.0.0.1:{fleet.bus_port}"]
        assert abs(given["time"] - time.time() * 1000) < 5000 and 3600 < given["renewAfterSec"] < 86_400

    @pytest.mark.parametrize("nkey", ["", "U" * 56, None, "*"])
    def test_a_bad_nkey_is_400(self, fleet: Fleet, device: Device, nkey: Any) -> None:
        assert fleet.ask("POST", "/bus/v1/credentials", {"nkey": nkey}, token=device.key).status_code == 400

    def test_only_a_device_gets_them(self, fleet: Fleet, device: Device) -> None:
        for token in (None, "x" * 64, fleet.admin, device.provisioning):
            assert fleet.ask("POST", "/bus/v1/credentials", {"nkey": "x"}, token=token).status_code == 401

    @pytest.mark.parametrize("way", ["http", "command line"])
    def test_a_revoked_device_is_cut_off_and_stays_out(self, fleet: Fleet, way: str) -> None:
        device = fleet.device("one").connect(ok)
        shown = lambda: fleet.ask("GET", f"/api/v1/devices/{device.uuid}").json()  # noqa: E731
        wait_for("it is shown as connected", lambda: shown()["connected"])
        if way == "http":
            assert fleet.ask("POST", f"/api/v1/devices/{device.uuid}/revoke").status_code == 204
        else:
            fleet.run("device", "revoke", device.uuid)
        wait_for("its connection is closed", lambda: device.client.is_closed)
        wait_for("it is shown as gone", lambda: not shown()["connected"])
        answer = fleet.ask("POST", "/bus/v1/credentials", {"nkey": "x"}, token=device.key)
        assert answer.status_code == 401
        assert fleet.ask("GET", f"/device/v3/{device.uuid}/state", token=device.key).status_code == 401


TARGET = {
    "apps": {
        "1001": {
            "services": {"7": {"serviceName": "web", "imageId": 3, "image": "demo:1", "ports": ["80:80"]}},
            "volumes": {"data": {}},
        }
    }
}


class TestTarget:
    def test_a_deployed_target_reaches_devices_by_both_versions(self, fleet: Fleet) -> None:
        application = fleet.application("deployed")
        device = fleet.device("deployed").connect(ok)
        v2, v3 = f"/device/v2/{device.uuid}/state", f"/device/v3/{device.uuid}/state"
        empty = fleet.ask("GET", v2, token=device.key)
        assert empty.json()["local"]["apps"] == {}
        tag = empty.headers["ETag"]
        assert tag.startswith('W/"')
        again = fleet.ask("GET", v2, token=device.key, If_None_Match=tag)
        assert (again.status_code, again.content) == (304, b"")
        made = fleet.ask("PUT", "/api/v1/applications/deployed/target", TARGET)
        assert made.status_code == 201 and made.json()["active"]
        commit = made.json()["commit"]
        assert device.pokes.wait(5)
        assert fleet.ask("PUT", "/api/v1/applications/deployed/target", TARGET).status_code == 200
        local = fleet.ask("GET", v2, token=device.key, If_None_Match=tag).json()["local"]
        assert local["config"] == {"RESIN_SUPERVISOR_POLL_INTERVAL": "600000"}
        app = local["apps"][str(application)]
        assert (app["commit"], app["name"], app["volumes"], app["networks"]) == (commit, "deployed", {"data": {}}, {})
        (service,) = app["services"].values()
        assert (service["serviceName"], service["image"], service["ports"]) == ("web", "demo:1", ["80:80"])
        state = fleet.ask("GET", v3, token=device.key).json()[device.uuid]
        (third,) = state["apps"].values()
        assert (third["id"], third["class"], list(third["releases"])) == (application, "fleet", [commit])
        web = third["releases"][commit]["services"]["web"]
        assert (web["image"], web["composition"]) == ("demo:1", {"ports": ["80:80"]})
        assert fleet.ask("GET", v2).json()["local"] == local
        device.close()

    def test_a_pinned_device_keeps_its_release(self, fleet: Fleet) -> None:
        fleet.application("pinned")
        device = fleet.device("pinned")
        first, second = (
            fleet.ask("PUT", "/api/v1/applications/pinned/target", {"services": {"main": {"image": image}}}).json()["commit"]
            for image in ("demo:1", "demo:2")
        )

        def running() -> str:
            local = fleet.ask("GET", f"/device/v2/{device.uuid}/state", token=device.key).json()["local"]
            return next(iter(local["apps"].values()))["commit"]

        assert running() == second
        path = f"/api/v1/devices/{device.uuid}"
        assert fleet.ask("PATCH", path, {"pinnedRelease": first}).json()["pinnedRelease"] == first
        assert running() == first
        assert fleet.ask("PATCH", path, {"pinnedRelease": None}).status_code == 200 and running() == second
        assert fleet.ask("PATCH", path, {"pinnedRelease": "0" * 40}).status_code == 404
        assert fleet.ask("POST", f"/api/v1/applications/pinned/releases/{first}/activate").json()["active"]
        assert running() == first

    @pytest.mark.parametrize(
        ("target", "named"),
        [
            ({}, "services"),
            ({"services": {}}, "services"),
            ({"services": {"main": {}}}, "services.main.image"),
            ({"services": {"a b": {"image": "x"}}}, "name"),
            ({"services": {"main": 1}}, "services.main"),
            ({"apps": {"1": {}, "2": {}}}, "apps"),
            ({"services": {"main": {"image": "x"}}, "volumes": []}, "volumes"),
        ],
    )
    def test_a_target_that_is_none_is_refused_by_name(self, fleet: Fleet, target: Any, named: str) -> None:
        answer = fleet.ask("PUT", "/api/v1/applications/one/target", target)
        assert answer.status_code == 400 and named in answer.json()["error"]

    def test_another_devices_target_is_401_and_an_unknown_one_304(self, fleet: Fleet, device: Device) -> None:
        other = fleet.device("one")
        assert fleet.ask("GET", f"/device/v3/{other.uuid}/state", token=device.key).status_code == 401
        assert fleet.ask("GET", f"/device/v3/{'0' * 32}/state").status_code == 304


class TestReports:
    def test_reports_are_merged_and_shown_without_the_secret(self, fleet: Fleet, device: Device) -> None:
        uuid = device.uuid
        first = {"status": "Idle" * 30, "api_secret": "hidden", "os_version": "Debian 12", "apps": {"a": {"release_uuid": "c1"}}}
        assert fleet.ask("PATCH", "/device/v3/state", {uuid: first}, token=device.key).status_code == 200
        second = fleet.ask("PATCH", f"/device/v2/{uuid}/state", {"local": {"ip_address": "10.0.0.7"}}, token=device.key)
        assert (second.status_code, second.content) == (200, b"")
        shown = fleet.ask("GET", f"/api/v1/devices/{uuid}")
        value = shown.json()
        assert (value["ipAddress"], value["osVersion"], value["runningRelease"]) == ("10.0.0.7", "Debian 12", "c1")
        assert len(value["status"]) == 50 and "hidden" not in shown.text and value["report"]["apps"]

    def test_a_report_on_another_device_is_401(self, fleet: Fleet, device: Device) -> None:
        other = fleet.device("one")
        for body in ({other.uuid: {}}, {device.uuid: {}, other.uuid: {}}):
            assert fleet.ask("PATCH", "/device/v3/state", body, token=device.key).status_code == 401
        assert fleet.ask("PATCH", f"/device/v2/{other.uuid}/state", {"local": {}}, token=device.key).status_code == 401


def test_events_show_presence_reports_and_commands_without_bodies(fleet: Fleet) -> None:
    device = fleet.device("one")
    headers = {"Authorization": f"Bearer {fleet.admin}"}
    with requests.get(f"{fleet.url}/api/v1/events", headers=headers, stream=True, timeout=20) as answer:
        lines = answer.iter_lines()
        assert next(lines) == b": connected"
        device.connect(lambda _: (200, "application/json", '"secret body"'))
        fleet.ask("POST", "/supervisor/v1/regenerate-api-key", {"uuid": device.uuid})
        fleet.ask("PATCH", "/device/v3/state", {device.uuid: {"status": "Idle"}}, token=device.key)
        seen: dict[str, Any] = {}
        for line in lines:
            if line.startswith(b"data: ") and device.uuid.encode() in line:
                event = json.loads(line[6:])
                seen[event["type"]] = event
                assert b"secret" not in line
            if {"presence", "report", "command"} <= set(seen):
                break
    device.close()
    assert seen["presence"]["connected"] is True and seen["report"]["status"] == "Idle"
    assert (seen["command"]["command"], seen["command"]["statusCode"]) == ("POST /v1/regenerate-api-key", 200)


def test_what_was_answered_is_there_after_kill_9_and_the_bus_ends_with_the_service(
    new_fleet: Callable[..., Fleet],
) -> None:
    fleet = new_fleet()
    fleet.application("one")
    fleet.start()
    device = fleet.device("one").connect(ok)
    fleet.stop(signal.SIGKILL)
    wait_for("nats-server has ended", lambda: device.client.is_closed)
    fleet.start()
    assert fleet.ask("GET", f"/api/v1/devices/{device.uuid}").json()["id"] == device.id
    device.connect(ok)
    assert fleet.ask("POST", "/supervisor/v1/blink", {"uuid": device.uuid}).text == "OK"
    device.close()
    assert fleet.stop() == 0


def test_a_backup_is_restored_and_old_logins_are_dead(new_fleet: Callable[..., Fleet], tmp_path: Any) -> None:
    fleet = new_fleet()
    fleet.application("one")
    fleet.start()
    device = fleet.device("one").connect(ok)
    pair, given = device.credentials()
    fleet.run("backup", str(tmp_path / "backup"))
    fleet.stop()
    (fleet.directory / "state").rename(fleet.directory / "old")
    fleet.run("restore", str(tmp_path / "backup"))
    assert not [path for path in (fleet.directory / "state").rglob("*") if path.is_file() and path.stat().st_mode & 0o77]
    fleet.start()
    with pytest.raises(Exception, match="(?i)authorization|revoked|closed|servers"):
        BUS.run(device._connect(pair, given, ok))
    device.connect(ok)
    assert fleet.ask("POST", "/supervisor/v1/blink", {"uuid": device.uuid}).text == "OK"
    device.close()
