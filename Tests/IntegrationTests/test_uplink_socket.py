"""The socket through which the uplink passes on commands: who may use it, and what it serves."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from harness.engine import Engine
from harness.processes import run
from harness.supervisor import Supervisor
from harness.waiting import wait_until
from harness.wire import Connection, exchange, request

#: Sends one request to a unix socket and prints what comes back.
CLIENT = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
try:
    s.sendall(b"GET /ping HTTP/1.1\\r\\nHost: device\\r\\nConnection: close\\r\\n\\r\\n")
    print(s.recv(65536).decode())
except (BrokenPipeError, ConnectionResetError):
    print("cut")
"""


def api_socket(supervisor: Supervisor) -> Path:
    return supervisor.run_folder / "api.sock"


def as_user_of_the_core(supervisor: Supervisor) -> "subprocess.CompletedProcess[str]":
    return run(supervisor.user.command(sys.executable, "-c", CLIENT, api_socket(supervisor)), timeout=10)


@pytest.fixture
def started(supervisor: Supervisor) -> Supervisor:
    supervisor.start()
    wait_until(api_socket(supervisor).is_socket, 5, "the socket is there")
    return supervisor


def test_root_needs_no_key(started: Supervisor) -> None:
    assert stat.S_IMODE(api_socket(started).stat().st_mode) == 0o660
    for path in ("/ping", "//ping"):
        answer = exchange(api_socket(started), request("GET", path))
        assert (answer.status, answer.text) == (200, "OK")
    answer = exchange(api_socket(started), request("GET", "/v1/device"))
    assert answer.status == 200 and "api_port" in answer.json


@pytest.mark.parametrize("path", ["/control/status", "/control/key", "/control/plugins", "//control//key"])
def test_nothing_of_the_control_socket_is_served(started: Supervisor, path: str) -> None:
    assert exchange(started.control, request("GET", path.replace("//", "/"))).status == 200
    answer = exchange(api_socket(started), request("GET", path))
    assert (answer.status, answer.text) == (404, "Not found")


def test_another_user_is_cut_and_named_in_the_log(started: Supervisor) -> None:
    # The user of the core owns the socket, so its mode lets it in.
    done = as_user_of_the_core(started)
    assert "200" not in done.stdout, done
    assert done.stdout.strip() in ("", "cut"), done
    started.logged("refused: only root and the user supervisor-uplink may use it")
    started.logged(f"uid {started.user.uid} ")


def test_the_configured_user_is_served(engine: Engine, new_supervisor: Callable[..., Supervisor]) -> None:
    supervisor = new_supervisor(engine, settings={"API": {"UplinkUser": "supervisor-test"}})
    supervisor.start()
    wait_until(api_socket(supervisor).is_socket, 5, "the socket is there")
    done = as_user_of_the_core(supervisor)
    assert done.stdout.startswith("HTTP/1.1 200"), done
    assert api_socket(supervisor).stat().st_gid == supervisor.user.gid


def test_the_actor_is_logged_on_this_socket_alone(started: Supervisor) -> None:
    by_uplink = [("X-Supervisor-Actor", "token alice"), ("X-Request-Id", "by-uplink")]
    assert exchange(api_socket(started), request("POST", "/v1/update", by_uplink)).status == 204
    by_network = [("X-Supervisor-Actor", "token mallory"), ("X-Request-Id", "by-network")]
    assert started.api("POST", "/v1/update", headers=by_network).status == 204
    started.logged("by-uplink")
    started.logged("by-network")
    lines = started.log.splitlines()
    assert any("by-uplink" in line and "token alice" in line for line in lines), lines[-5:]
    assert "mallory" not in started.log


def test_the_socket_goes_with_the_supervisor_and_a_stale_one_is_replaced(started: Supervisor) -> None:
    with Connection(api_socket(started)):
        started.kill()
    assert api_socket(started).is_socket(), "a killed supervisor leaves it"
    started.start()
    wait_until(lambda: exchange(api_socket(started), request("GET", "/ping")).status == 200, 5, "it is served again")
    started.stop()
    assert not api_socket(started).exists()
