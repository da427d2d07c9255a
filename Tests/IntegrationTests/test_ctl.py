"""superctl, and the control socket under it."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import threading
import time

import pytest

from harness import target
from harness.processes import run
from harness.supervisor import Supervisor, binary
from harness.waiting import wait_until
from harness.wire import exchange, request

LOCKED = 75


def test_status_shows_the_device_and_its_app(device: Supervisor) -> None:
    done = device.ctl("status")
    assert done.returncode == 0, done.stderr
    for text in (target.commit("a")[:7], "demo", target.SERVICE, "running", "Idle"):
        assert text in done.stdout, f"{text} is not in:\n{done.stdout}"


def test_status_as_json_is_what_the_control_socket_says(device: Supervisor) -> None:
    done = device.ctl("status", "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert status["supervisor"]["pid"] == device.pid
    assert status["device"]["apiPort"] == device.port
    assert re.fullmatch("[0-9a-f]{32}", status["device"]["uuid"])
    assert status["engine"]["state"] == "connected" and status["engine"]["name"] == "docker"
    assert status["health"] == {"healthy": True, "ailment": None}
    assert status["update"]["targetFile"] == str(device.target_file)
    app = status["apps"][0]
    assert (app["appId"], app["name"], app["commit"], app["targetCommit"]) == (
        target.APP, "demo", target.commit("a"), target.commit("a"),
    )  # fmt: skip
    service = app["services"][0]
    assert service["containerId"] == device.engine.running(target.APP)["Id"]
    assert (service["serviceName"], service["image"], service["state"]) == (target.SERVICE, "demo:1", "running")
    assert device.key not in done.stdout


def test_the_control_socket_is_closed_to_others(device: Supervisor) -> None:
    status = device.control.stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert status.st_mode & 0o007 == 0, "others may use it"
    stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    ask = ["curl", "-s", "-m", "2", "--unix-socket", device.control, "http://d/control/key"]
    assert device.key not in run([*stranger, *ask]).stdout
    assert run(ask).stdout == device.key


def test_the_control_socket_serves_the_api_without_a_key(device: Supervisor) -> None:
    for path in ("/ping", "/v1/device", f"/v1/apps/{target.APP}"):
        assert exchange(device.control, request("GET", path)).status == 200


def test_the_network_does_not_serve_the_control_paths(device: Supervisor) -> None:
    for path in ("/control/status", "/control/key", "/control/locks"):
        answer = device.api("GET", path)
        assert answer.status == 404 and device.key.encode() not in answer.body


def test_locks_lists_and_checks(device: Supervisor) -> None:
    lock = device.lock_folder() / "updates.lock"
    assert device.ctl("locks", "--check").returncode == 0
    lock.touch()
    try:
        wait_until(lambda: device.ctl("locks", "--check").returncode == LOCKED, 3, "the lock is seen")
        done = device.ctl("locks")
        assert done.returncode == 0 and str(target.APP) in done.stdout and "updates.lock" in done.stdout
    finally:
        lock.unlink()
    wait_until(lambda: device.ctl("locks", "--check").returncode == 0, 3, "it is free")


def test_locks_wait_ends_when_the_last_lock_goes(device: Supervisor) -> None:
    lock = device.lock_folder() / "updates.lock"
    lock.touch()
    wait_until(device.held_locks, 3, "the lock is seen")
    ended: list[int] = []
    waiting = threading.Thread(target=lambda: ended.append(device.ctl("locks", "--wait").returncode))
    waiting.start()
    time.sleep(0.7)
    assert not ended, "it does not wait"
    lock.unlink()
    waiting.join(3)
    assert ended == [0]


@pytest.mark.parametrize("command", ["restart", "purge"])
def test_an_operation_is_done_and_refused_under_a_lock(device: Supervisor, command: str) -> None:
    before = device.engine.running(target.APP)["Id"]
    done = device.ctl(command, str(target.APP))
    assert done.returncode == 0, done.stderr
    if command == "restart":
        assert device.engine.running(target.APP)["Id"] != before
    lock = device.lock_folder() / "updates.lock"
    lock.touch()
    held = device.engine.running(target.APP)["Id"]
    refused = device.ctl(command, str(target.APP))
    assert refused.returncode == LOCKED and refused.stderr
    assert device.engine.running(target.APP)["Id"] == held
    forced = device.ctl(command, "--force", str(target.APP))
    assert forced.returncode == 0, forced.stderr
    lock.unlink(missing_ok=True)


def test_stop_and_start(device: Supervisor) -> None:
    before = device.engine.running(target.APP)["Id"]
    assert device.ctl("stop", str(target.APP)).returncode == 0
    assert not device.engine.container(target.APP)["State"]["Running"]
    assert device.ctl("start", str(target.APP)).returncode == 0
    assert device.engine.running(target.APP)["Id"] == before


@pytest.mark.parametrize("command", ["restart", "purge", "stop", "start"])
def test_an_unknown_app_is_a_failure_with_a_reason(device: Supervisor, command: str) -> None:
    done = device.ctl(command, "999")
    assert done.returncode == 1 and done.stderr.strip()


def test_key_shows_and_changes_it(device: Supervisor) -> None:
    old = device.key
    assert device.ctl("key").stdout.strip() == old
    done = device.ctl("key", "--regenerate")
    assert done.returncode == 0
    assert done.stdout.strip() == device.key != old
    assert device.api("GET", "/ping", key=old).status == 401
    device.update()
    wait_until(
        lambda: f"RESIN_SUPERVISOR_API_KEY={device.key}" in device.engine.running(target.APP)["Config"]["Env"],
        15,
        "the app has the new key",
    )
    device.wait_settled(release="a")


def test_update_checks_at_once(device: Supervisor) -> None:
    assert device.ctl("update").returncode == 0
    lock = device.lock_folder() / "updates.lock"
    lock.touch()
    device.write_target(target.app(release="b"))
    device.update()
    wait_until(lambda: device.device()["update_failed"], 10, "the lock refuses it")
    assert device.ctl("update", "--force").returncode == 0
    device.wait_settled(release="b")
    device.write_target(target.app(environment={"FOO": "bar"}))
    device.wait_settled(release="a")


def test_reload_takes_a_good_file_and_refuses_a_bad_one(device: Supervisor) -> None:
    assert device.ctl("reload").returncode == 0
    good = device.config_file.read_text()
    try:
        device.write_config({"API": {"PingRequiresKey": "perhaps"}})
        refused = device.ctl("reload")
        assert refused.returncode != 0
        assert "PingRequiresKey" in refused.stderr and str(device.config_file) in refused.stderr
        assert device.api("GET", "/ping").status == 200, "the running configuration goes on"
        device.write_config({"API": {"PingRequiresKey": "no"}})
        assert device.ctl("reload").returncode == 0
        assert device.api("GET", "/ping", key=None).body == b"OK"
    finally:
        device.config_file.write_text(good)
        assert device.ctl("reload").returncode == 0
    assert device.api("GET", "/ping", key=None).status == 401


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["restart", "1", "2"], ["status", "--nonsense"]])
def test_a_wrong_command_line_is_usage(device: Supervisor, arguments: list[str]) -> None:
    done = device.ctl(*arguments)
    assert done.returncode == 64 and done.stderr


def test_an_app_may_be_named_or_left_out_where_there_is_just_one(device: Supervisor) -> None:
    for arguments in (["start"], ["start", "demo"]):
        assert device.ctl(*arguments).returncode == 0
    done = device.ctl("start", "unheard-of")
    assert done.returncode == 1 and "demo" in done.stderr


def test_without_a_supervisor_it_says_so(supervisor: Supervisor) -> None:
    done = supervisor.ctl("status")
    assert done.returncode == 69
    assert "control.sock" in done.stderr


def test_a_stranger_has_no_permission(device: Supervisor) -> None:
    stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    done = run([*stranger, binary("superctl"), "status", "--socket", device.control])
    assert done.returncode == 77 and done.stderr


# ---- what else operators ask for


def test_config_tells_where_each_value_comes_from(running: Supervisor) -> None:
    lines = running.config_file.read_text().splitlines()
    done = running.ctl("config", "--json")
    assert done.returncode == 0, done.stderr
    entries = {f"[{entry['section']}] {entry['key']}": entry for entry in json.loads(done.stdout)}
    port = entries["[API] Port"]
    assert port["value"] == str(running.port)
    assert port["locations"] == [{"file": str(running.config_file), "line": lines.index(f"Port={running.port}") + 1}]
    assert entries["[API] MaxConnections"]["source"] == "default"
    assert entries["[Device] UUID"]["value"] == running.control_json("/control/status")["device"]["uuid"]
    assert running.key not in done.stdout
    text = running.ctl("config").stdout
    assert re.search(rf"^Port={running.port} +# {re.escape(str(running.config_file))}:\d+$", text, re.M), text

    drop_in = running.root / "device-supervisor.conf.d" / "50-test.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[API]\nMaxConnections=99\nPort=1\n")
    assert running.ctl("reload").returncode == 0
    told = json.loads(running.ctl("config", "--json").stdout)
    entries = {f"[{entry['section']}] {entry['key']}": entry for entry in told}
    changed = entries["[API] MaxConnections"]
    assert (changed["value"], changed["source"]) == ("99", f"{drop_in}:2")
    assert entries["[API] Port"]["value"] == str(running.port), "in force"
    assert entries["[API] Port"]["afterRestart"] == {"value": "1", "source": f"{drop_in}:3"}


def test_volumes_are_listed_with_those_that_are_left_over(device: Supervisor) -> None:
    assert device.ctl("volumes").stdout == "No application has a volume.\n"
    labels = {"io.supervisor.app-id": "77", "io.supervisor.volume": "db"}
    device.engine.ask("POST", "/volumes/create", {"Name": "77_db", "Labels": labels})
    try:
        done = device.ctl("volumes", "--json")
        assert json.loads(done.stdout) == [
            {"name": "77_db", "appId": 77, "app": None, "volume": "db", "state": "left over"}
        ]
        assert device.ctl("volumes").stdout.splitlines()[1].split() == ["77_db", "77", "db", "left", "over"]
    finally:
        device.engine.ask("DELETE", "/volumes/77_db")


@pytest.mark.parametrize("command", ["reboot", "power-off"])
def test_a_shutdown_that_is_locked_says_by_whom(device: Supervisor, command: str) -> None:
    refused = device.ctl(command)
    assert refused.returncode == 1 and "no plugin" in refused.stderr


def test_update_waits_for_the_end_if_it_is_asked_to(running: Supervisor) -> None:
    assert running.ctl("update", "--wait").returncode == 0
    running.write_target(target.app(release="b", image="demo:2"))
    done = running.ctl("update", "--wait")
    assert done.returncode == 0, done.stderr
    assert running.settled(release="b") and "\x1b" not in done.stdout and "\r" not in done.stdout
    lock = running.lock_folder() / "updates.lock"
    lock.touch()
    running.write_target(target.app(release="c"))
    done = running.ctl("update", "--wait")
    assert done.returncode == LOCKED and "updates.lock" in done.stderr
    assert running.ctl("update", "--wait", "--force").returncode == 0
    running.settled(release="c")
    running.write_target(target.app(release="d", image="127.0.0.1:1/none:1"))
    done = running.ctl("update", "--wait")
    assert done.returncode == 1 and "none" in done.stderr


def test_a_screen_gets_colours_and_a_progress_line_and_nobody_else(running: Supervisor, proxy, published) -> None:
    def on_screen(*arguments: str, **environment: str) -> str:
        words = " ".join([str(binary("superctl")), *arguments, "--socket", str(running.control)])
        done = subprocess.run(
            ["script", "-qec", words, "/dev/null"],
            env={**os.environ, "TERM": "xterm", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout.decode()

    assert "\x1b[32mrunning" in on_screen("status")
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_screen("status", **environment)
    assert "\x1b" not in running.ctl("status").stdout
    image = published("seen", [2_000_000])
    proxy.bytes_per_second = 1_000_000
    running.write_target(target.app(image=image.reference, release="b"))
    shown = on_screen("update", "--wait")
    assert re.search(rf"\rDownloading {re.escape(image.reference)} \[#*\.*\] \d+ %\x1b\[K", shown), shown
    running.settled(release="b")


# ---- the process itself


def test_sigterm_ends_it_soon_and_the_app_runs_on(running: Supervisor) -> None:
    before = running.engine.running(target.APP)
    begin = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - begin < 10
    after = running.engine.running(target.APP)
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert not running.control.exists()


def test_sigterm_in_a_download_aborts_it(running: Supervisor, proxy, published) -> None:
    image = published("endless", [3_000_000])
    proxy.bytes_per_second = 50_000
    running.write_target(target.app(image=image.reference, release="b"))
    wait_until(lambda: running.device()["status"] == "Downloading", 20, "it downloads")
    begin = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - begin < 3


def test_sigterm_in_an_operation_finishes_the_step(running: Supervisor) -> None:
    running.write_target(target.app(environment={"ON_TERM": "sleep 1"}))
    wait_until(lambda: "ON_TERM=sleep 1" in running.engine.running(target.APP)["Config"]["Env"], 10, "the new target")
    running.wait_settled(release="a")
    before = running.engine.running(target.APP)["Id"]
    thread = threading.Thread(target=lambda: run(["curl", "-s", "-d", json.dumps({"appId": target.APP}),
        f"http://127.0.0.1:{running.port}/v1/restart?apikey={running.key}"]))  # fmt: skip
    stops = running.log.count("Stopping the container")
    thread.start()
    wait_until(lambda: running.log.count("Stopping the container") > stops, 5, "the operation has begun")
    assert running.stop() == 0
    thread.join(20)
    after = running.engine.running(target.APP)
    assert after["Id"] != before, "an operation that has begun is finished"


def test_readiness_is_told_and_the_watchdog_is_fed(running: Supervisor, user) -> None:
    import socket

    running.stop()
    path = running.root / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        os.chmod(path, 0o777)
        notify.settimeout(10)
        environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}
        running.spawn(environment)
        said = b""
        while b"READY=1" not in said:
            said += notify.recv(4096) + b"\n"
        with socket.create_connection(("127.0.0.1", running.port), timeout=2):
            pass  # it listens before it says that it is ready
        fed = 0
        end = time.monotonic() + 3
        while time.monotonic() < end:
            fed += b"WATCHDOG=1" in notify.recv(4096)
        assert fed >= 3
        running.send_signal(signal.SIGTERM)
        said = b""
        while b"STOPPING=1" not in said:
            said += notify.recv(4096) + b"\n"
        assert running.process and running.process.popen.wait(15) == 0


def test_no_file_of_the_state_is_open_to_others(running: Supervisor) -> None:
    for file in (running.key_file, running.state / "api-key.last", running.state / "identity.json"):
        if file.exists():
            assert file.stat().st_mode & 0o077 == 0, file
    assert running.key_file.read_text() == running.key_file.read_text().strip()


def test_two_supervisors_do_not_share_one_device(running: Supervisor) -> None:
    second = subprocess.run([str(part) for part in running.command()], capture_output=True, text=True, timeout=15)
    assert second.returncode == 75 and second.stderr
    running.assert_alive()
    assert running.api("GET", "/ping").status == 200
    assert exchange(running.control, request("GET", "/ping")).status == 200
