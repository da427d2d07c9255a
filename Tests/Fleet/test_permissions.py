"""Who may do what: every principal against every kind of request."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from fleet import Device, Fleet, ok


@pytest.fixture(scope="module")
def world(fleet: Fleet) -> Iterator[dict[str, Any]]:
    fleet.application("theirs")
    own = fleet.device("one").connect(ok)
    other = fleet.device("theirs").connect(ok)
    tokens: dict[str, str | None] = {scope: fleet.token(scope, scope) for scope in ("read", "operate", "deploy", "admin")}
    tokens["other's admin"] = fleet.token("other", "admin", "theirs")
    tokens["device"] = other.key
    tokens["provisioning"] = own.provisioning
    tokens["unknown"] = "f" * 64
    tokens["none"] = None
    yield {"own": own, "tokens": tokens}
    own.close()
    other.close()


def command(url: str, method: str = "POST") -> tuple[str, str, Any]:
    return "POST", f"/supervisor{url}", {"uuid": "{uuid}", "method": method}


TARGET = {"services": {"main": {"image": "demo:1"}}}
READ = [
    command("/ping", "GET"),
    command("//ping", "GET"),
    command("/v1/healthy", "GET"),
    command("/v1/device", "GET"),
    command("/v2/version", "GET"),
    command("/v2/state/status", "GET"),
    command("/v2/applications/state", "GET"),
    command("/v2/applications/1001/state", "GET"),
    ("GET", "/api/v1/devices/{uuid}", None),
    ("GET", "/api/v1/applications/one", None),
    ("GET", "/api/v1/applications/one/releases", None),
]
OPERATE = [
    command("/v1/apps/1001", "GET"),
    command("/v1/device/host-config", "GET"),
    command("/v1/device/host-config", "PATCH"),
    command("/v1/blink"),
    command("/v1/device", "POST"),
    command("/v1/device", "HEAD"),
    command("/v2/journal-logs"),
    command("/v1/device/", "DELETE"),
    ("POST", "/device/{id}/restart", None),
    ("PATCH", "/api/v1/devices/{uuid}", {"name": "kitchen"}),
    ("POST", "/api/v1/devices/{uuid}/poke", None),
]
DEPLOY = [
    command("/v2/local/target-state", "GET"),
    command("/v2/local/target-state"),
    command("//v2/./local/device-info", "GET"),
    command("/v2/%6cocal/x", "GET"),
    command("/v1/../V2/Local/x", "GET"),
    ("PUT", "/api/v1/applications/one/target", TARGET),
    ("PATCH", "/api/v1/devices/{uuid}", {"pinnedRelease": None}),
]
ADMIN = [
    ("POST", "/api/v1/applications/one/provisioning-tokens", {}),
    ("POST", "/api/v1/devices/{uuid}/reset-key", None),
    ("GET", "/api/v1/tokens", None),
    ("GET", "/api/v1/audit", None),
]
ROWS = [(row, scope) for scope, rows in enumerate((READ, OPERATE, DEPLOY, ADMIN)) for row in rows]
SCOPES = ["read", "operate", "deploy", "admin"]
GLOBAL = {"/api/v1/tokens", "/api/v1/audit"}


@pytest.mark.parametrize("who", [*SCOPES, "other's admin", "device", "provisioning", "unknown", "none"])
@pytest.mark.parametrize(("row", "scope"), ROWS, ids=[f"{row[0]} {row[1]} {SCOPES[s]}" for row, s in ROWS])
def test_who_may_do_what(fleet: Fleet, world: dict[str, Any], row: tuple[str, str, Any], scope: int, who: str) -> None:
    device: Device = world["own"]
    method, path, body = row
    path = path.replace("{uuid}", device.uuid).replace("{id}", str(device.id))
    if body and "uuid" in body:
        body = body | {"uuid": device.uuid}
    before = len(device.commands)
    answer = fleet.ask(method, path, body, token=world["tokens"][who])
    is_command = path.startswith("/supervisor/") or path.startswith("/device/")
    if who in ("unknown", "none"):
        expected = {401}
    elif who in SCOPES:
        expected = {200, 201, 202} if SCOPES.index(who) >= scope else {403}
    elif who == "other's admin":
        expected = {200, 403} if path in GLOBAL else {404}
    else:
        expected = {404} if is_command else {403}
    assert answer.status_code in expected, answer.text
    called = is_command and expected == {200, 201, 202}
    assert len(device.commands) - before == called


def test_a_token_makes_none_that_may_do_more(fleet: Fleet) -> None:
    some = fleet.token("some", "admin", "one")
    one = fleet.ask("GET", "/api/v1/applications/one").json()["id"]
    many = fleet.ask("GET", "/api/v1/applications/many").json()["id"]
    for applications, status in ([None, 403], [[many], 403], [[one, many], 403], [[one], 201]):
        body = {"name": "n", "scope": "read", "applications": applications}
        assert fleet.ask("POST", "/api/v1/tokens", body, token=some).status_code == status


def test_a_revoked_token_is_401_at_once(fleet: Fleet) -> None:
    made = fleet.ask("POST", "/api/v1/tokens", {"name": "short", "scope": "read"}).json()
    assert fleet.ask("GET", "/api/v1/whoami", token=made["token"]).json()["name"] == "short"
    assert fleet.ask("DELETE", f"/api/v1/tokens/{made['id']}").status_code == 204
    assert fleet.ask("GET", "/api/v1/whoami", token=made["token"]).status_code == 401
    assert made["token"] not in fleet.ask("GET", "/api/v1/tokens").text


@pytest.mark.parametrize("name", ["", "a" * 65, "a\nb", "ü", "a;b"])
def test_a_token_with_a_name_that_would_spoil_a_journal_is_refused(fleet: Fleet, name: str) -> None:
    assert fleet.ask("POST", "/api/v1/tokens", {"name": name, "scope": "read"}).status_code == 400
