"""What the device tells while it works: events, logs, and apps whose process keeps dying."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from typing import Any, Callable, Iterator

import pytest

from harness import target
from harness.processes import must
from harness.supervisor import Supervisor, binary
from harness.waiting import wait_until
from harness.wire import exchange, request

LOCKED, GONE = 75, 69


class Reading:
    """A superctl that runs on and prints lines."""

    def __init__(self, supervisor: Supervisor, *arguments: str) -> None:
        self.lines: list[str] = []
        self.popen = subprocess.Popen(
            [binary("superctl"), *arguments, "--socket", str(supervisor.control)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.popen.stdout
        for line in self.popen.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, what: Callable[[], Any], deadline: float = 15) -> None:
        try:
            wait_until(what, deadline, "the lines say so")
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(self.lines)) from None

    def ended(self, deadline: float = 10) -> tuple[int, str]:
        """Exit status and standard error."""
        status = self.popen.wait(deadline)
        self._thread.join(5)
        assert self.popen.stderr
        return status, self.popen.stderr.read()

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait()
        self._thread.join(5)
        for stream in (self.popen.stdout, self.popen.stderr):
            if stream:
                stream.close()


@pytest.fixture
def reading() -> Iterator[Callable[..., Reading]]:
    made: list[Reading] = []

    def make(supervisor: Supervisor, *arguments: str) -> Reading:
        made.append(Reading(supervisor, *arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()


def names(lines: list[str]) -> list[str]:
    return [json.loads(line)["event"] for line in lines]


def in_order(wanted: list[str], all_of_them: list[str]) -> bool:
    """Whether the wanted names come in this order, whatever is between them."""
    rest = iter(all_of_them)
    return all(name in rest for name in wanted)


def script(text: str) -> list[str]:
    return ["/bin/sh", "-c", text]


# ---- events


def test_an_update_is_told_from_the_download_to_its_end(
    running: Supervisor, proxy: Any, published: Any, reading: Callable[..., Reading]
) -> None:
    image = published("told", [3_000_000])
    proxy.bytes_per_second = 1_000_000
    events = reading(running, "events", "--json", "--no-history")
    wait_until(lambda: running.ctl("key", "--regenerate").returncode == 0 and events.lines, 10, "news are told")
    running.write_target(target.app(image=image.reference, release="b"))
    running.wait_settled(release="b", deadline=40)
    wanted = [
        "target.changed", "download.began", "download.progress", "download.done", "container.created",
        "container.stopped", "container.started", "container.removed", "update.succeeded",
    ]  # fmt: skip
    events.wait_for(lambda: in_order(wanted, names(events.lines)))
    told = [json.loads(line) for line in events.lines]
    assert told[0]["event"] == "key.regenerated", "history was not asked for"
    for event in told:
        assert abs(event["time"] - time.time()) < 120
    assert "container.died" not in names(events.lines), "a stop of ours is no death"
    progress = [event["percent"] for event in told if event["event"] == "download.progress"]
    assert progress == sorted(progress) and all(0 <= percent <= 100 for percent in progress)
    began = next(event for event in told if event["event"] == "download.began")
    assert (began["appId"], began["service"], began["image"]) == (target.APP, target.SERVICE, image.reference)


def test_history_comes_first_and_the_end_of_the_supervisor_is_told(
    running: Supervisor, reading: Callable[..., Reading]
) -> None:
    events = reading(running, "events")
    events.wait_for(lambda: any("update.succeeded" in line for line in events.lines))
    assert any("container.started" in line and f"{target.APP}/{target.SERVICE}" in line for line in events.lines)
    assert not any("\x1b" in line for line in events.lines)
    running.stop()
    status, errors = events.ended()
    assert status == GONE and "the supervisor has stopped" in errors
    assert "supervisor.stopping" in events.lines[-1]


def test_a_supervisor_that_is_killed_ends_the_events_too(running: Supervisor, reading: Callable[..., Reading]) -> None:
    events = reading(running, "events")
    events.wait_for(lambda: events.lines)
    running.kill()
    status, errors = events.ended()
    assert status == GONE and "connection to the supervisor ended" in errors


def test_lock_engine_key_and_bad_target_are_told(running: Supervisor, reading: Callable[..., Reading]) -> None:
    events = reading(running, "events", "--json")
    lock = running.lock_folder() / "updates.lock"
    lock.touch()
    running.write_target(target.app(release="b", image="demo:2"))
    events.wait_for(lambda: "update.blocked" in names(events.lines))
    assert "updates.lock" in next(line for line in events.lines if "update.blocked" in line)
    lock.unlink()
    running.wait_settled(release="b")
    events.wait_for(lambda: in_order(["update.unblocked", "update.succeeded"], names(events.lines)))
    running.write_target_text("{")
    events.wait_for(lambda: "target.refused" in names(events.lines))
    assert running.ctl("key", "--regenerate").returncode == 0
    events.wait_for(lambda: "key.regenerated" in names(events.lines))
    assert not any(running.key in line for line in events.lines)


def test_an_engine_that_goes_and_comes_is_told(running: Supervisor, reading: Callable[..., Reading]) -> None:
    events = reading(running, "events", "--json")
    running.engine.stop()
    events.wait_for(lambda: "engine.away" in names(events.lines))
    running.engine.start()
    events.wait_for(lambda: in_order(["engine.away", "engine.connected"], names(events.lines)), 30)


def test_a_release_that_gives_way_is_told(running: Supervisor, reading: Callable[..., Reading]) -> None:
    labels = {"io.supervisor.healthy-after": "1"}
    running.write_target(target.app(release="b", labels=labels))
    records = running.state / "releases.json"
    wait_until(lambda: target.commit("b") in records.read_text(), 20, "the release has proved good")
    events = reading(running, "events", "--json")
    running.write_target(target.app(release="c", labels=labels, command=script("exit 3")))
    events.wait_for(lambda: "update.rolled-back" in names(events.lines), 30)
    told = [json.loads(line) for line in events.lines]
    event = next(event for event in told if event["event"] == "update.rolled-back")
    assert (event["appId"], event["service"]) == (target.APP, target.SERVICE)
    assert "its process ended with 3" in event["reason"]
    running.wait_settled(release="b")


def test_status_is_shown_anew_until_the_supervisor_stops(running: Supervisor, reading: Callable[..., Reading]) -> None:
    watch = reading(running, "status", "--watch", "--json")

    def commits() -> list[str]:
        return [json.loads(line)["apps"][0]["commit"] for line in watch.lines]

    watch.wait_for(lambda: target.commit("a") in commits())
    running.write_target(target.app(release="b"))
    watch.wait_for(lambda: target.commit("b") in commits())
    running.stop()
    status, errors = watch.ended()
    assert status == GONE and str(running.control) in errors


def test_readers_who_do_not_read_hold_up_nobody(running: Supervisor) -> None:
    readers = []
    for _ in range(12):
        reader = socket.socket(socket.AF_UNIX)
        reader.settimeout(5)
        reader.connect(str(running.control))
        reader.sendall(b"GET /control/events HTTP/1.1\r\nHost: d\r\n\r\n")
        readers.append(reader)
    refused = sum(reader.recv(64).startswith(b"HTTP/1.1 503") for reader in readers)
    assert refused == 4, "eight streams at once"
    assert running.api("GET", "/ping").status == 200
    assert running.api("POST", "/v1/restart", {"appId": target.APP}).status == 200
    for reader in readers:
        reader.close()
    wait_until(
        lambda: exchange(running.control, request("GET", "/control/status")).status == 200, 5, "it answers"
    )
    events = Reading(running, "events")
    try:
        events.wait_for(lambda: events.lines)
    finally:
        events.close()


# ---- logs


def test_logs_of_an_app_and_its_last_lines(supervisor: Supervisor) -> None:
    supervisor.write_target(
        target.app(
            command=script("for i in 1 2 3 4 5; do echo line $i; done; sleep 1; echo wrong >&2; exec sleep 1000")
        )
    )
    supervisor.start()
    supervisor.wait_settled()
    wait_until(lambda: "wrong" in supervisor.ctl("logs", "demo").stdout, 10, "it has written")
    done = supervisor.ctl("logs", "demo", "-n", "2")
    assert (done.returncode, done.stdout.splitlines()) == (0, ["line 5", "wrong"])
    done = supervisor.ctl("logs", str(target.APP), target.SERVICE, "--lines=3", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()][1:] == [
        {"service": target.SERVICE, "stream": "stdout", "text": "line 5"},
        {"service": target.SERVICE, "stream": "stderr", "text": "wrong"},
    ]
    assert supervisor.ctl("logs", "999").returncode == 1
    done = supervisor.ctl("logs", "demo", "other")
    assert done.returncode == 1 and target.SERVICE in done.stderr
    assert supervisor.ctl("logs", "demo", "-n", "many").returncode == 64


def test_lines_of_several_services_begin_with_their_names(
    supervisor: Supervisor, reading: Callable[..., Reading]
) -> None:
    text = "echo from NAME; while :; do sleep 1; echo NAME again; done"
    services = {
        name: {"network_mode": "host", "command": script(text.replace("NAME", name))}
        for name in ("db", "worker")
    }
    supervisor.write_target(target.several(target.APP, services), target.app(target.OTHER, name="other"))
    supervisor.start()
    wait_until(lambda: len(supervisor.engine.containers(all=False)) == 3, 30, "all of them run")
    done = supervisor.ctl("logs", "demo")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "db     | from db" in lines and "worker | from worker" in lines
    assert not any("other" in line for line in lines)
    assert all(line.startswith(("db     | ", "worker | ")) for line in lines)
    one = supervisor.ctl("logs", str(target.APP), "worker", "-n", "1").stdout.splitlines()
    assert one == ["worker again"] or one == ["from worker"], one
    logs = reading(supervisor, "logs", "demo", "-f", "-n", "0")
    logs.wait_for(lambda: {"db     | db again", "worker | worker again"} <= set(logs.lines))
    assert supervisor.ctl("logs").returncode == 64


def test_logs_follow_across_a_crash_and_an_update(supervisor: Supervisor, reading: Callable[..., Reading]) -> None:
    count = 'n=$(cat /data/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > /data/n; echo "run $n"; sleep 1; exit 1'
    supervisor.write_target(target.app(command=script(count)))
    supervisor.start()
    wait_until(lambda: supervisor.engine.containers(target.APP), 20, "there is a container")
    logs = reading(supervisor, "logs", "demo", "-f")
    logs.wait_for(lambda: len(logs.lines) >= 4, 30)
    assert logs.lines == [f"run {n + 1}" for n in range(len(logs.lines))], "every line once"
    supervisor.write_target(target.app(release="b", command=script("echo next; exec sleep 1000")))
    logs.wait_for(lambda: "next" in logs.lines, 30)
    assert logs.lines.count("next") == 1
    supervisor.stop()
    assert logs.ended()[0] == GONE


def test_a_flood_of_lines_costs_the_supervisor_nothing(supervisor: Supervisor) -> None:
    text = "while :; do echo a line that an app writes again and again; done"
    supervisor.write_target(target.app(command=script(text)))
    supervisor.start()
    supervisor.wait_settled()
    reader = subprocess.Popen(
        [binary("superctl"), "logs", "demo", "-f", "--socket", str(supervisor.control)], stdout=subprocess.PIPE
    )
    try:
        assert reader.stdout and reader.stdout.readline()
        reader.send_signal(signal.SIGSTOP)
        time.sleep(5)
        memory = int(must(["sed", "-n", "s/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p", f"/proc/{supervisor.pid}/status"]))
        assert memory < 100_000, f"{memory} kB"
        begin = time.monotonic()
        assert supervisor.api("GET", "/ping").status == 200
        assert time.monotonic() - begin < 1
    finally:
        reader.kill()
        reader.wait()
    supervisor.assert_alive()
    assert supervisor.ctl("stop", "demo").returncode == 0


# ---- crash loops


def service(supervisor: Supervisor) -> dict[str, Any]:
    return supervisor.control_json("/control/status")["apps"][0]["services"][0]


@pytest.fixture
def crashing(supervisor: Supervisor) -> Supervisor:
    """A device whose app dies again and again."""
    supervisor.write_target(
        target.app(
            command=script("for i in 1 2 3 4 5 6 7; do echo step $i; done; sleep 1; echo no such file >&2; exit 3")
        )
    )
    supervisor.start()
    wait_until(lambda: service(supervisor)["crashLooping"], 30, "the crash loop is shown")
    wait_until(lambda: service(supervisor)["lastLines"], 10, "its last lines are shown")
    return supervisor


def test_a_crash_loop_is_shown_with_its_end_and_last_lines(crashing: Supervisor) -> None:
    shown = service(crashing)
    assert shown["exitCode"] == 3
    assert shown["lastLines"] == ["step 4", "step 5", "step 6", "step 7", "no such file"]
    text = crashing.ctl("status").stdout
    for part in ("(3), CRASH LOOP", "| step 7", "| no such file"):
        assert part in text, text
    told = [json.loads(line) for line in history(crashing)]
    began = [event for event in told if event["event"] == "service.crash-loop-began"]
    assert len(began) == 1 and began[0]["exitCode"] == 3
    assert sum(event["event"] == "container.died" for event in told) >= 3


def history(supervisor: Supervisor) -> list[str]:
    """The events so far."""
    with socket.socket(socket.AF_UNIX) as reader:
        reader.settimeout(1)
        reader.connect(str(supervisor.control))
        reader.sendall(b"GET /control/events HTTP/1.0\r\n\r\n")
        data = b""
        while True:
            try:
                piece = reader.recv(65536)
            except TimeoutError:
                break
            if not piece:
                break
            data += piece
    return data.partition(b"\r\n\r\n")[2].decode().splitlines()


def test_a_crash_loop_is_never_hammered(crashing: Supervisor) -> None:
    """The engine's back-off doubles from a tenth of a second: what it does in 20 s is all that happens."""
    before = crashing.engine.container(target.APP)
    time.sleep(20)
    after = crashing.engine.container(target.APP)
    assert after["Id"] == before["Id"]
    assert after["RestartCount"] - before["RestartCount"] <= 8
    assert service(crashing)["crashLooping"], "also while the engine waits"
    assert crashing.log.count("Started the container") == 1, "the supervisor has started it once"


def test_a_crash_loop_can_be_updated(crashing: Supervisor) -> None:
    crashing.write_target(target.app(release="b"))
    crashing.wait_settled(release="b")
    assert not service(crashing)["crashLooping"] and service(crashing)["lastLines"] == []
    assert "service.crash-loop-ended" in names(history(crashing))


def test_a_crash_loop_can_be_stopped_and_stays_so(crashing: Supervisor) -> None:
    assert crashing.ctl("stop", "demo").returncode == 0
    count = crashing.engine.container(target.APP)["RestartCount"]
    time.sleep(3)
    container = crashing.engine.container(target.APP)
    assert container["State"]["Status"] == "exited" and container["RestartCount"] == count
    assert service(crashing)["state"] == "stopped" and not service(crashing)["crashLooping"]


def test_a_crash_loop_is_found_by_a_supervisor_that_starts_anew(crashing: Supervisor) -> None:
    time.sleep(6)  # the engine waits for some seconds between two attempts by now
    crashing.kill()
    crashing.start()
    wait_until(lambda: service(crashing)["crashLooping"], 30, "the crash loop is shown")
    wait_until(lambda: service(crashing)["lastLines"], 10, "its last lines are shown")
    assert service(crashing)["exitCode"] == 3


def test_an_app_that_cannot_even_start_is_tried_ever_more_seldom(supervisor: Supervisor) -> None:
    supervisor.write_target(target.app(command=["/no/such/program"]))
    supervisor.start()
    wait_until(lambda: supervisor.device()["update_failed"], 20, "the failure is told")
    assert "/no/such/program" in supervisor.device()["update_error"]
    time.sleep(15)
    tried = [line for line in history(supervisor) if "container.created" in line]
    assert len(tried) == 2, "it is made again once, however often it is tried"
    assert supervisor.log.count("Recreating the container") == 1
    assert supervisor.engine.container(target.APP)["RestartCount"] == 0
    attempts = supervisor.control_json("/control/status")["update"]["checksEnded"]
    assert attempts <= 8, f"{attempts} attempts in 15 s"
    supervisor.write_target(target.app(release="b"))
    supervisor.wait_settled(release="b")
