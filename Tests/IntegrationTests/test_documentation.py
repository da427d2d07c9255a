"""What the documents show, as written: the programs for authors of apps, and the targets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import images, target
from harness.api_page import APIPage, Endpoint, Example
from harness.engine import Engine
from harness.host import PROXY, Host
from harness.paths import REPOSITORY, SANDBOX_ROOT
from harness.supervisor import Supervisor
from harness.target import UNKNOWN
from harness.waiting import wait_until
from harness.wire import Response, exchange, request

HAND_OVER_PORT = 8080


def snippets(document: str, language: str) -> list[str]:
    text = (REPOSITORY / document).read_text()
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"{document} has no {language}"
    return found


def environment(supervisor: Supervisor, tools: Path, service: str = target.SERVICE) -> dict[str, str]:
    """That of the app's container, for a program beside it: the lock is where the host sees it."""
    variables = supervisor.engine.running(target.APP)["Config"]["Env"]
    given = dict(each.split("=", 1) for each in variables if each.startswith(("RESIN", "BALENA")))
    lock = supervisor.lock_folder(service=service) / "updates.lock"
    return {**given, "RESIN_APP_LOCK_PATH": str(lock), "PATH": f"{tools}:{os.environ['PATH']}"}


@pytest.fixture
def tools(supervisor: Supervisor, tmp_path: Path) -> Path:
    """A folder of programs, with the one that the shell's example must not be interrupted in."""
    work = tmp_path / "do-what-must-not-be-interrupted"
    lock = supervisor.lock_folder() / "updates.lock"
    work.write_text(f"#!/bin/sh\ntest -f {lock} && touch {tmp_path}/done\n")
    work.chmod(0o755)
    return tmp_path


def locks_in(answer: str) -> list[str]:
    return [lock["path"] for lock in json.loads(answer)["locks"]]


def test_the_shell_locks_works_and_restarts_itself(running: Supervisor, tools: Path) -> None:
    before = running.engine.running(target.APP)["Id"]
    done = subprocess.run(
        ["sh", "-c", snippets("docs/apps.md", "sh")[0]],
        env=environment(running, tools),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tools / "done").exists(), "it worked under the lock"
    device = re.match(r"\{.*\}", done.stdout)
    assert device and locks_in(device[0]) == [], "the lock is gone before it asks"
    assert done.stdout.endswith("OK")
    assert running.wait_settled(release="a")["Id"] != before


@pytest.mark.parametrize("program", ["python", "js"])
def test_python_and_node_show_the_device_under_their_lock(running: Supervisor, tools: Path, program: str) -> None:
    command = {"python": [sys.executable, "-c"], "js": ["node", "-e"]}[program]
    given = environment(running, tools)
    done = subprocess.run(
        [*command, snippets("docs/apps.md", program)[0]], env=given, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert locks_in(done.stdout) == [given["RESIN_APP_LOCK_PATH"]]
    assert running.held_locks() == [], "and it is gone at the end"


@pytest.mark.parametrize("program", ["sh", "python", "js"])
def test_an_example_killed_under_its_lock_takes_it_again(running: Supervisor, tools: Path, program: str) -> None:
    command = {"sh": ["sh", "-c"], "python": [sys.executable, "-c"], "js": ["node", "-e"]}[program]
    given = environment(running, tools)
    lock = Path(given["RESIN_APP_LOCK_PATH"])
    example = snippets("docs/apps.md", program)[0]
    at, death = {
        "sh": ("do-what-must-not-be-interrupted\n", "kill -9 $$\n"),
        "python": ("    print(supervisor(", "    os.kill(os.getpid(), 9)\n    print(supervisor("),
        "js": ("  request.end();", "  process.kill(process.pid, 'SIGKILL');"),
    }[program]
    assert at in example
    killed = subprocess.run([*command, example.replace(at, death)], env=given, timeout=60)
    assert killed.returncode == -9 and lock.exists(), "it was killed under its lock"
    # In a container the holder dies with it.
    wait_until(lambda: subprocess.run(["flock", "-n", lock, "true"]).returncode == 0, 10, "its holder has ended")
    done = subprocess.run([*command, example], env=given, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    wait_until(lambda: running.held_locks() == [], 10, "it has released the lock")


# ---- handing over


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The example of a server that hands over, twice, as during an update."""
    (tmp_path / "file").write_text("served")
    program = snippets("docs/apps.md", "python")[1].replace("/tmp/balena", str(tmp_path / "lock"))
    started: list[subprocess.Popen[bytes]] = []
    (tmp_path / "lock").mkdir()
    said = tmp_path / "lock" / "handover-complete"
    try:
        for _ in range(2):
            said.unlink(missing_ok=True)
            command = [sys.executable, "-c", program]
            started.append(subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL))
            wait_until(said.exists, 10, "it says that it has taken over")
        yield started
    finally:
        for server in started:
            server.kill()
            server.wait()


def served() -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{HAND_OVER_PORT}/file", timeout=5) as answer:
        return answer.read()


def test_two_servers_share_a_port_and_the_old_one_ends_well(servers: list[subprocess.Popen[bytes]]) -> None:
    assert all(served() == b"served" for _ in range(20))
    old, new = servers
    old.send_signal(signal.SIGTERM)
    assert old.wait(10) == 0
    assert all(served() == b"served" for _ in range(20))
    assert new.poll() is None


# ---- targets


@pytest.mark.parametrize("document", ["README.md", "docs/target-state.md"])
def test_a_target_of_the_documents_is_taken_whole(supervisor: Supervisor, document: str) -> None:
    text = snippets(document, "json")[0]
    state = json.loads(text)
    supervisor.write_target_text(text)
    supervisor.start()

    def is_known() -> bool:
        status = supervisor.control_json("/control/status")
        assert status["update"]["targetError"] is None, status["update"]
        return [app["targetCommit"] for app in status["apps"]] == [app["commit"] for app in state["apps"].values()]

    wait_until(is_known, 10, "the target is in force")
    wanted = [each["serviceName"] for app in state["apps"].values() for each in app["services"].values()]
    apps = supervisor.control_json("/control/status")["apps"]
    assert [each["serviceName"] for app in apps for each in app["services"]] == wanted
    assert "ignored" not in supervisor.log, "every member is known"


# ---- the API

PAGE = APIPage(REPOSITORY / "docs/api.md")
SERVICE = "web"
COMMIT = "414e65cd378a69a96f403b75f14b40b55856f860"
DEVICE = {"UUID": "27b0fdc3b5c94f3b9d8a7e6f5c4d3b2a", "DeviceType": "raspberrypi4-64"}
IMAGE = "registry.example.com/shop:12"
#: What the page shows in place of what is different on each device.
SHOWN_CONTAINER = "5f4d4a857742e9ecac505ba5710834d3852ad7d71e10389fc6f61d8655a21806"
SHOWN_KEY = "480af7bb8a9cf56de8a1e295f0d50e6b3bb46676aaddbf4103aa43cb57039364"
SHOWN_LOCKS = "/run/device-supervisor-locks"
SHOWN_MEMBERS = {
    "ip_address": "192.168.0.114 10.42.0.3",
    "os_version": "Debian GNU/Linux 12 (bookworm)",
    "agent_version": "0.1.0",
}
#: Headers that the page leaves out.
VARYING = ("date:", "content-length:", "x-request-id:")


class DocumentedDevice:
    """The device of the page's examples, with a scripted plugin for each operation of the host."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        # Nothing else is on the sandbox's network, and the page shows the port.
        supervisor.port = 48484
        self.host = Host(supervisor)
        self.write_target()

    def write_target(self, *more: dict[str, Any]) -> None:
        app = target.app(name="shop", image=IMAGE, service=SERVICE, environment={"GREETING": "hello"})
        app[str(target.APP)]["commit"] = COMMIT
        self.supervisor.write_target(app, *more)

    def settle(self) -> None:
        """The app runs with the key in effect, the plugins do as they should, and no reboot is under way."""
        self.host.good(PROXY, DEVICE["UUID"][:7])
        if self.supervisor.control_json("/control/status")["power"] is not None:
            self.supervisor.restart()
        assert self.supervisor.api("POST", f"/v1/apps/{target.APP}/start").status == 200
        # The plugin's answer is what connectivity shows.
        assert self.supervisor.api("POST", "/v1/tcp-ping").status == 204

        def has_the_key() -> bool:
            container = self.supervisor.wait_settled(deadline=5)
            return f"RESIN_SUPERVISOR_API_KEY={self.supervisor.key}" in container["Config"]["Env"]

        wait_until(has_the_key, 20, "the app has the key in effect")

    @property
    def lock(self) -> Path:
        return self.supervisor.lock_folder(service=SERVICE) / "updates.lock"

    def reload(self) -> None:
        done = self.supervisor.ctl("reload")
        assert done.returncode == 0, done

    def as_shown(self, text: str, container: str) -> str:
        """An answer of this device with what the page has in place of what varies."""
        device = self.supervisor.device()
        for name, shown in SHOWN_MEMBERS.items():
            text = text.replace(f'"{name}":"{device[name]}"', f'"{name}":"{shown}"')
            for prefix in ("RESIN", "BALENA"):
                variable = {"os_version": "HOST_OS_VERSION", "supervisor_version": "SUPERVISOR_VERSION"}.get(name)
                text = text.replace(f'"{prefix}_{variable}":"{device[name]}"', f'"{prefix}_{variable}":"{shown}"')
        text = text.replace(str(self.supervisor.locks), SHOWN_LOCKS)
        return text.replace(container, SHOWN_CONTAINER).replace(self.supervisor.key, SHOWN_KEY)


@pytest.fixture(scope="module")
def documented_device(shared_engine: Engine, shared_device: Any, user: Any) -> Iterator[DocumentedDevice]:
    shared_device.end()
    shared_engine.remove_all()
    shared_engine.import_image(images.base_layer(), IMAGE, images.changes())
    supervisor = Supervisor(SANDBOX_ROOT / "documented", shared_engine, user, {"Device": DEVICE})
    device = DocumentedDevice(supervisor)
    supervisor.start()
    supervisor.wait_settled()
    yield device
    print(supervisor.log[-8000:])
    device.host.plugins.dispose()
    supervisor.dispose()


@pytest.fixture
def documented(documented_device: DocumentedDevice) -> DocumentedDevice:
    documented_device.settle()
    return documented_device


@pytest.mark.parametrize("example", PAGE.examples, ids=[example.title for example in PAGE.examples])
def test_an_example_of_the_api_is_answered_as_shown(
    documented: DocumentedDevice, tmp_path: Path, example: Example
) -> None:
    supervisor = documented.supervisor
    container = supervisor.engine.running(target.APP)["Id"]
    given = environment(supervisor, tmp_path, SERVICE)
    done = subprocess.run(["sh", "-ec", example.command], env=given, capture_output=True, timeout=60)
    assert done.returncode == 0, done
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    lines = [line for line in head.split("\r\n") if not line.lower().startswith(VARYING)]
    assert (lines, documented.as_shown(body, container)) == (example.head, example.body)


@pytest.mark.parametrize("program", ["python", "js"])
def test_the_programs_of_the_api_print_what_is_shown(
    documented: DocumentedDevice, tmp_path: Path, program: str
) -> None:
    command = {"python": [sys.executable, "-c"], "js": ["node", "-e"]}[program]
    done = subprocess.run(
        [*command, snippets("docs/api.md", program)[0]],
        env=environment(documented.supervisor, tmp_path, SERVICE),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == snippets("docs/api.md", "text")[0]


def routes(file: str) -> list[Endpoint]:
    """The method and the path of each route of a source file, as the page writes them."""
    (path,) = (REPOSITORY / "Sources").glob(f"**/{file}")
    text = path.read_text()
    found = re.findall(r"\bRoute\(\s*method: \.([A-Z]+),\s*path: \"([^\"]+)\"", text)
    assert found and len(found) == len(re.findall(r"\bRoute\(", text)), f"a route of {file} is written in another way"
    return [(method, path.replace(":id", ":appId")) for method, path in found]


def test_every_route_has_a_section_of_the_api_and_every_section_a_route() -> None:
    assert sorted(PAGE.endpoints) == sorted(routes("Routes+V1.swift"))
    assert sorted(PAGE.control_routes) == sorted(routes("Routes+Control.swift"))
    titles = [f"{method} {path}" for method, path in PAGE.endpoints]
    assert PAGE.contents == [(title, re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")) for title in titles]
    assert sorted(example.title for example in PAGE.examples if example.title in titles) == sorted(
        [*titles, "POST /v1/restart"]
    ), "each has an example, and restart one of a lock"


def test_the_program_has_every_endpoint_of_the_page_and_no_other_method(documented: DocumentedDevice) -> None:
    supervisor = documented.supervisor
    for path in {path for _, path in PAGE.endpoints}:
        answer = supervisor.api("OPTIONS", path.replace(":appId", str(target.APP)))
        assert answer.status == 204, (path, answer)
        allowed = set((answer.header("Allow") or "").split(", ")) - {"HEAD", "OPTIONS"}
        assert allowed == {method for method, other in PAGE.endpoints if other == path}, path
    for path in {path for _, path in PAGE.control_routes}:
        answer = exchange(supervisor.control, request("OPTIONS", path))
        allowed = set((answer.header("Allow") or "").split(", ")) - {"HEAD", "OPTIONS"}
        assert allowed == {method for method, other in PAGE.control_routes if other == path}, path
        assert supervisor.api("OPTIONS", path).status == 404, "not on the network"


def is_on_the_page(answer: Response, method: str, path: str) -> None:
    """The answer is a line of the table of its endpoint, which names its Retry-After."""
    endpoint = (method, re.sub(r"/apps/[^/]+", "/apps/:appId", path))
    row = PAGE.row(endpoint, answer.status, answer.text)
    assert row, (endpoint, answer)
    seconds = answer.header("Retry-After")
    if not row.is_bare:
        assert seconds is None or f"`Retry-After: {seconds}`" in row.when or "as for" in row.when, (row, answer)
        assert seconds is not None or "`Retry-After: " not in row.when, (row, answer)


APP = f"/v1/apps/{target.APP}"
HOST_CONFIG = "/v1/device/host-config"
FORM = [("Content-Type", "application/x-www-form-urlencoded")]
SOCKS = {"type": "socks5", "ip": "10.0.0.1", "port": 1080}
#: (status, method, path, body, headers) of requests that are wrong by themselves.
WRONG: list[tuple[int, str, str, Any, list[tuple[str, str]]]] = [
    (404, "GET", "/nothing", None, []),
    (405, "PUT", "/ping", None, []),
    (413, "POST", "/v1/update", b" " * 102_401, []),
    (414, "GET", "/" + "a" * 9000, None, []),
    (415, "POST", "/v1/update", b"{}", [("Content-Encoding", "gzip")]),
    (417, "POST", "/v1/update", b"{}", [("Expect", "a miracle")]),
    (431, "GET", "/ping", None, [("X", "a" * 40_000)]),
    (431, "GET", "/ping", None, [("X", "a")] * 101),
    (501, "POST", "/v1/update", b"0\r\n\r\n", [("Transfer-Encoding", "gzip, chunked")]),
    *[(400, "POST", path, b"{", []) for path in ("/v1/update", "/v1/purge", "/v1/restart", "/v1/reboot")],
    *[(400, "POST", path, b"[]", []) for path in ("/v1/update", "/v1/purge", f"{APP}/stop", "/v1/shutdown")],
    (400, "PATCH", HOST_CONFIG, b"{", []),
    (400, "POST", "/v1/restart", b"appId=\xff", FORM),
    (400, "POST", "/v1/restart", b"appId=%zz", FORM),
    (400, "POST", "/v1/restart", b"appId=1&appId=1", FORM),
    *[(400, "POST", path, {}, []) for path in ("/v1/purge", "/v1/restart")],
    *[(400, "POST", path, {"appId": 1.5}, []) for path in ("/v1/purge", "/v1/restart")],
    *[(404, "POST", path, {"appId": UNKNOWN}, []) for path in ("/v1/purge", "/v1/restart")],
    *[(status, "GET", f"/v1/apps/{app}", None, []) for app, status in (("x", 400), (UNKNOWN, 404))],
    *[(status, "POST", f"/v1/apps/{app}/stop", None, []) for app, status in (("x", 400), (UNKNOWN, 404))],
    *[(status, "POST", f"/v1/apps/{app}/start", None, []) for app, status in (("x", 400), (UNKNOWN, 404))],
    (400, "PATCH", HOST_CONFIG, {"network": []}, []),
    (400, "PATCH", HOST_CONFIG, {"network": {"proxy": 1}}, []),
    (400, "PATCH", HOST_CONFIG, {"network": {"hostname": "-"}}, []),
    (400, "PATCH", HOST_CONFIG, {"network": {"proxy": {**SOCKS, "port": 0}}}, []),
    (400, "PATCH", HOST_CONFIG, {"network": {"proxy": {**SOCKS, "type": 5}}}, []),
    (400, "PATCH", HOST_CONFIG, {"network": {"proxy": {**SOCKS, "noProxy": ["x"]}}}, []),
    (400, "PATCH", HOST_CONFIG, {"network": {"proxy": {"ip": None}}}, []),
]


def test_the_answer_to_a_wrong_request_is_on_the_page(documented: DocumentedDevice) -> None:
    for status, method, path, body, headers in WRONG:
        answer = documented.supervisor.api(method, path, body, headers=headers)
        assert answer.status == status, (method, path[:100], answer)
        is_on_the_page(answer, method, path)
    with pytest.raises(AssertionError):
        is_on_the_page(documented.supervisor.api("GET", APP), "GET", "/ping")


def test_the_answer_for_an_application_of_several_services_is_on_the_page(documented: DocumentedDevice) -> None:
    members = {"image": IMAGE, "running": False}
    documented.write_target(target.several(target.OTHER, {"one": members, "two": members}, name="other"))
    path = f"/v1/apps/{target.OTHER}"
    try:
        wait_until(lambda: documented.supervisor.api("GET", path).status == 400, 10, "the target is read")
        for method, verb in (("GET", ""), ("POST", "/stop"), ("POST", "/start")):
            answer = documented.supervisor.api(method, path + verb)
            assert (answer.status, "has 2 services" in answer.text) == (400, True), answer
            is_on_the_page(answer, method, path + verb)
    finally:
        documented.write_target()
        wait_until(lambda: documented.supervisor.api("GET", path).status == 404, 20, "the application is gone")


def test_the_answer_under_a_lock_is_on_the_page(documented: DocumentedDevice) -> None:
    documented.lock.touch()
    try:
        for path, body in (
            ("/v1/restart", {"appId": target.APP}),
            ("/v1/purge", {"appId": target.APP}),
            (f"{APP}/stop", None),
            ("/v1/reboot", None),
            ("/v1/shutdown", None),
        ):
            answer = documented.supervisor.api("POST", path, body)
            assert answer.status == 423 and str(documented.lock) in answer.text, answer
            is_on_the_page(answer, "POST", path)
    finally:
        documented.lock.unlink()


@pytest.mark.parametrize(("kind", "other"), [("reboot", "shutdown"), ("shutdown", "reboot")])
def test_the_answer_during_a_reboot_is_on_the_page(documented: DocumentedDevice, kind: str, other: str) -> None:
    api = documented.supervisor.api
    assert api("POST", f"/v1/{kind}").status == 202
    assert api("POST", f"/v1/{kind}").status == 202
    answer = api("POST", f"/v1/{other}")
    assert answer.status == 423, answer
    is_on_the_page(answer, "POST", f"/v1/{other}")
    for method, path, body in (
        ("POST", "/v1/restart", {"appId": target.APP}),
        ("POST", "/v1/purge", {"appId": target.APP}),
        ("POST", f"{APP}/stop", None),
        ("POST", f"{APP}/start", None),
    ):
        answer = api(method, path, body)
        assert answer.status == 503, (path, answer)
        is_on_the_page(answer, method, path)
    # The page has these with the text of a reboot.
    for method, path, body in (
        ("POST", "/v1/regenerate-api-key", None),
        ("POST", "/v1/tcp-ping", None),
        ("DELETE", "/v1/tcp-ping", None),
        ("PATCH", HOST_CONFIG, {"network": {}}),
    ):
        answer = api(method, path, body)
        assert (answer.status, answer.text) == (503, f"A {kind} is under way"), (path, answer)
        answer.body = b"A reboot is under way"
        is_on_the_page(answer, method, path)
    for method, path in (("GET", "/v1/device"), ("GET", APP), ("GET", HOST_CONFIG), ("POST", "/v1/update")):
        assert api(method, path).status in (200, 204), path


def test_the_answer_without_a_plugin_is_on_the_page(documented: DocumentedDevice) -> None:
    low = documented.host.plugins.low
    away = low.with_name("away")
    low.rename(away)
    try:
        documented.reload()
        for method, path, body in (
            ("POST", "/v1/reboot", None),
            ("POST", "/v1/shutdown", None),
            ("POST", "/v1/tcp-ping", None),
            ("DELETE", "/v1/tcp-ping", None),
            ("GET", HOST_CONFIG, None),
            ("PATCH", HOST_CONFIG, {"network": {"hostname": "x"}}),
        ):
            answer = documented.supervisor.api(method, path, body)
            assert answer.status == 501, (path, answer)
            is_on_the_page(answer, method, path)
        blink = documented.supervisor.api("POST", "/v1/blink")
        assert (blink.status, blink.header("X-Supervisor-Led")) == (200, "none")
        is_on_the_page(blink, "POST", "/v1/blink")
    finally:
        away.rename(low)
        documented.reload()


@pytest.mark.parametrize("reason", ["invalid-argument", "not-supported", "failed", "unavailable", "busy", "timeout"])
@pytest.mark.parametrize(
    ("operation", "method", "path", "body"),
    [
        ("led.blink", "POST", "/v1/blink", None),
        ("power.reboot", "POST", "/v1/reboot", None),
        ("power.power-off", "POST", "/v1/shutdown", None),
        ("tcp-ping.enable", "POST", "/v1/tcp-ping", None),
        ("tcp-ping.disable", "DELETE", "/v1/tcp-ping", None),
        ("hostname.get", "GET", HOST_CONFIG, None),
        ("proxy.get", "GET", HOST_CONFIG, None),
        ("proxy.set", "PATCH", HOST_CONFIG, {"network": {"proxy": SOCKS}}),
        ("hostname.set", "PATCH", HOST_CONFIG, {"network": {"hostname": "other"}}),
    ],
)
def test_the_answer_to_a_failure_of_a_plugin_is_on_the_page(
    documented: DocumentedDevice, operation: str, method: str, path: str, body: Any, reason: str
) -> None:
    documented.host.fail(operation, {"error": {"reason": reason, "message": "it went wrong: here"}})
    is_on_the_page(documented.supervisor.api(method, path, body), method, path)
