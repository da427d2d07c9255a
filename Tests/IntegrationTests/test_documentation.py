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
from typing import Iterator

import pytest

from harness import target
from harness.supervisor import Supervisor
from harness.waiting import wait_until

ROOT = Path(__file__).parents[2]
HAND_OVER_PORT = 8080


def snippets(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text()
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"{document} has no {language}"
    return found


def environment(supervisor: Supervisor, tools: Path) -> dict[str, str]:
    """That of the app's container, for a program beside it: the lock is where the host sees it."""
    variables = supervisor.engine.running(target.APP)["Config"]["Env"]
    given = dict(each.split("=", 1) for each in variables if each.startswith(("RESIN", "BALENA")))
    lock = supervisor.lock_folder() / "updates.lock"
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
