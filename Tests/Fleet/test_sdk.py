"""PyPI's balena-sdk 17.3.0, unchanged, against the service over TLS."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from fleet import Device, Fleet

balena = pytest.importorskip("balena")
NAME = "fleet.test"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, Device, Any]]:
    directory = tmp_path_factory.mktemp("sdk")
    chain, key = directory / "chain.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:api.{NAME},IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(chain)],
        check=True,
        capture_output=True,
    )
    fleet = Fleet(directory, certificate=(chain, key))
    fleet.url = f"https://127.0.0.1:{fleet.port}"
    fleet.application("one")
    fleet.start()
    device = fleet.device("one", supervisor_version="7.1.0").connect(answer)
    patch = pytest.MonkeyPatch()
    patch.setenv("REQUESTS_CA_BUNDLE", str(chain))
    patch.setenv("BALENA_API_KEY", fleet.admin)
    # In place of a line in /etc/hosts.
    look_up = socket.getaddrinfo
    patch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: look_up("127.0.0.1" if host == f"api.{NAME}" else host, *rest, **more),
    )
    yield fleet, device, balena.Balena({"balena_host": f"{NAME}:{fleet.port}", "data_directory": False})
    patch.undo()
    device.close()
    fleet.stop()


def answer(command: dict[str, Any]) -> tuple[int, str, str]:
    if command["url"] == "/v1/device":
        return 200, "application/json", '{"status":"Idle"}'
    if command["url"].startswith("/v1/apps/"):
        return 200, "application/json", '{"appId":1001,"containerId":"c"}'
    if command["url"] in ("//ping", "/v1/blink"):
        return 200, "text/plain", "OK"
    return 202, "application/json", '{"Data":"OK","Error":""}'


CALLS: list[tuple[str, Callable[[Any, Device], Any], str, str, Any]] = [
    ("ping", lambda s, d: s.models.device.ping(d.uuid), "GET", "//ping", None),
    ("identify", lambda s, d: s.models.device.identify(d.uuid), "POST", "/v1/blink", None),
    ("restart", lambda s, d: s.models.device.restart_application(d.uuid), "POST", "/v1/restart", {"appId": 1001}),
    ("reboot", lambda s, d: s.models.device.reboot(d.uuid), "POST", "/v1/reboot", {}),
    ("reboot forced", lambda s, d: s.models.device.reboot(d.uuid, True), "POST", "/v1/reboot", {"force": True}),
    ("reboot by id", lambda s, d: s.models.device.reboot(d.id), "POST", "/v1/reboot", {}),
    ("shutdown", lambda s, d: s.models.device.shutdown(d.uuid), "POST", "/v1/shutdown", {}),
    ("purge", lambda s, d: s.models.device.purge(d.uuid), "POST", "/v1/purge", {"appId": 1001}),
    ("update", lambda s, d: s.models.device.update(d.uuid), "POST", "/v1/update", {}),
    ("state", lambda s, d: s.models.device.get_supervisor_state(d.uuid), "GET", "/v1/device", None),
    ("info", lambda s, d: s.models.device.get_application_info(d.uuid), "GET", "/v1/apps/1001", None),
    ("start", lambda s, d: s.models.device.start_application(d.uuid), "POST", "/v1/apps/1001/start", None),
    ("stop", lambda s, d: s.models.device.stop_application(d.uuid), "POST", "/v1/apps/1001/stop", None),
    ("app reboot", lambda s, d: s.models.application.reboot(1001), "POST", "/v1/reboot", {"force": False}),
    ("app shutdown", lambda s, d: s.models.application.shutdown(1001), "POST", "/v1/shutdown", {"force": False}),
    ("app purge", lambda s, d: s.models.application.purge(1001), "POST", "/v1/purge", {"appId": "1001"}),
]


@pytest.mark.parametrize(("call", "method", "url", "data"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_a_call_of_the_sdk_reaches_the_device(
    world: tuple[Fleet, Device, Any], call: Callable[[Any, Device], Any], method: str, url: str, data: Any
) -> None:
    _, device, sdk = world
    device.commands.clear()
    call(sdk, device)
    (command,) = device.commands
    assert (command["method"], command["url"]) == (method, url)
    body = json.loads(command["body"]) if "body" in command else None
    assert body == data


def test_an_old_device_is_restarted_by_the_old_request(world: tuple[Fleet, Device, Any]) -> None:
    fleet, _, sdk = world
    device = fleet.device("one", supervisor_version="6.6.11").connect(answer)
    sdk.models.device.restart_application(device.uuid)
    (command,) = device.commands
    device.close()
    assert (command["url"], json.loads(command["body"])) == ("/v1/restart", {"appId": 1001})


def test_the_target_state_and_whoami(world: tuple[Fleet, Device, Any]) -> None:
    _, device, sdk = world
    assert sdk.models.device.get_supervisor_target_state(device.uuid)["local"]["apps"] == {}
    assert sdk.auth.is_logged_in()
    assert sdk.auth.get_actor_id() if hasattr(sdk.auth, "get_actor_id") else True


@pytest.mark.parametrize("query", ["device", "device(x)", "application", "device(1)?$orderby=id", "device(1)?$select=secret"])
def test_any_other_question_is_a_400_that_says_what_is_known(world: tuple[Fleet, Device, Any], query: str) -> None:
    fleet, _, _ = world
    answer = fleet.ask("GET", f"/v7/{query}")
    assert answer.status_code == 400 and "know" in answer.json()["error"]
