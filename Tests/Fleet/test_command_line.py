"""The commands of supervisor-fleet, as a person types them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from fleet import BINARY, Fleet, ok


@pytest.fixture
def remote(fleet: Fleet, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    file = tmp_path / "token"
    file.write_text(fleet.admin + "\n")

    def run(command: str, *words: str) -> subprocess.CompletedProcess[str]:
        line = [BINARY, command, "--server", fleet.url, "--token-file", str(file), *words]
        return subprocess.run(line, capture_output=True, text=True, timeout=60)

    return run


def test_call_shows_a_table_with_the_result_of_each_device(fleet: Fleet, remote: Any) -> None:
    application = str(fleet.application("called"))
    devices = [fleet.device("called").connect(ok), fleet.device("called")]
    one = remote("call", devices[0].uuid, "POST", "/v1/reboot", '{"force":true}')
    assert one.returncode == 0 and one.stdout.splitlines()[1].split() == [devices[0].uuid, "200", '"OK"']
    assert json.loads(devices[0].commands[0]["body"]) == {"force": True}
    every = remote("call", "--app", application, "GET", "/ping")
    devices[0].close()
    rows = {line.split()[0]: line.split()[1] for line in every.stdout.splitlines()[1:]}
    assert every.returncode == 1 and rows == {devices[0].uuid: "200", devices[1].uuid: "404"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["0" * 32, "POST", "/v1/blink"], "No online device"),
        (["0" * 32, "POST", "v1/blink"], "v1/blink is not a path"),
        (["0" * 32, "POST", "/v1/blink", "{"], "not valid JSON"),
        (["0" * 32], "METHOD and URL"),
    ],
)
def test_call_says_what_is_wrong(remote: Any, words: list[str], named: str) -> None:
    done = remote("call", *words)
    assert done.returncode != 0 and named in done.stderr


def test_deploy_prints_the_release(fleet: Fleet, remote: Any, tmp_path: Path) -> None:
    fleet.application("rolled")
    file = tmp_path / "apps.json"
    file.write_text(json.dumps({"services": {"main": {"image": "demo:1"}}}))
    done = remote("deploy", "--app", "rolled", str(file))
    assert done.returncode == 0, done.stderr
    assert fleet.ask("GET", "/api/v1/applications/rolled").json()["activeRelease"] == done.stdout.strip()
    file.write_text("{}")
    refused = remote("deploy", "--app", "rolled", str(file))
    assert refused.returncode != 0 and "services must be" in refused.stderr


def test_a_revoked_token_opens_nothing_while_the_service_runs(fleet: Fleet) -> None:
    secret = fleet.token("to go", "read")
    assert fleet.ask("GET", "/api/v1/whoami", token=secret).status_code == 200
    listed = fleet.run("token", "list")
    number = next(line.split()[0] for line in listed.splitlines() if "to go" in line)
    assert secret not in listed
    fleet.run("token", "revoke", number)
    assert fleet.ask("GET", "/api/v1/whoami", token=secret).status_code == 401


def test_nothing_in_the_state_directory_is_readable_by_others_and_no_secret_is_in_clear_text(fleet: Fleet) -> None:
    device = fleet.device("one")
    files = [path for path in (fleet.directory / "state").rglob("*") if path.is_file()]
    assert not [path for path in files if path.stat().st_mode & 0o77]
    for secret in (fleet.admin, device.key, device.provisioning):
        assert not [path for path in files if secret.encode() in path.read_bytes()]
        assert secret not in (fleet.directory / "serve.log").read_text()


def test_init_again_changes_nothing(fleet: Fleet) -> None:
    assert "nothing was changed" in fleet.run("init")
    assert fleet.ask("GET", "/api/v1/whoami").status_code == 200


def test_a_service_without_init_says_what_to_do(tmp_path: Path) -> None:
    config = tmp_path / "fleet.conf"
    config.write_text(f"[Fleet]\nStateDirectory={tmp_path}/none\n")
    done = subprocess.run([BINARY, "serve", "--config", str(config)], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "supervisor-fleet init" in done.stderr


@pytest.mark.parametrize(
    ("line", "named"),
    [("[HTTP]\nListen=nonsense", "fleet.conf:2: [HTTP] Listen"), ("[HTTP]\nKey=/x", "belong together"), ("junk", "fleet.conf:1")],
)
def test_an_error_in_the_configuration_is_shown_by_line(tmp_path: Path, line: str, named: str) -> None:
    config = tmp_path / "fleet.conf"
    config.write_text(line + "\n")
    done = subprocess.run([BINARY, "init", "--config", str(config)], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and named in done.stderr


def test_without_a_certificate_it_listens_on_loopback_only(new_fleet: Callable[..., Fleet]) -> None:
    fleet = new_fleet()
    fleet.config.write_text(fleet.config.read_text().replace("Listen=127.0.0.1", "Listen=0.0.0.0"))
    fleet.start()
    listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    for port in (fleet.port, fleet.bus_port, fleet.ws_port):
        addresses = [line.split()[3] for line in listening.splitlines() if line.split()[3].endswith(f":{port}")]
        assert addresses == [f"127.0.0.1:{port}"]
