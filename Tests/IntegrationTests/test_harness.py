"""The suite's own parts do what the tests rely on. Needs none of our programs."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import target
from harness.engine import Engine, EngineError, nanoseconds
from harness.paths import REPOSITORY
from harness.processes import Process, must, run
from harness.waiting import stays, wait_until
from harness.wire import Connection, request


def serve_once(*pieces: bytes) -> tuple[str, int]:
    """A server that sends pieces to its one client, 30 ms apart, and closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        with listener, listener.accept()[0] as client:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(0.03)

    threading.Thread(target=work, daemon=True).start()
    return listener.getsockname()[:2]


def test_a_request_is_built_to_the_byte() -> None:
    assert request("POST", "/x?y", [("A", "b")], b"hi") == (
        b"POST /x?y HTTP/1.1\r\nHost: device\r\nA: b\r\nContent-Length: 2\r\n\r\nhi"
    )
    assert request("GET", "/", version="HTTP/1.0", host=None) == b"GET / HTTP/1.0\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "pieces", "status", "body"),
    [
        ("GET", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"], 200, b"OK"),
        ("GET", [b"HTTP/1.1 2", b"00 OK\r\nContent-Le", b"ngth: 2\r\n\r\nO", b"K"], 200, b"OK"),
        ("HEAD", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"], 200, b""),
        ("GET", [b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
        ("GET", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"], 200, b"abc"),
        ("GET", [b"HTTP/1.0 200 OK\r\n\r\nuntil ", b"the end"], 200, b"until the end"),
    ],
)
def test_an_answer_is_read_whatever_its_pieces(method: str, pieces: list[bytes], status: int, body: bytes) -> None:
    with Connection(serve_once(*pieces), timeout=3) as connection:
        answer = connection.receive(method)
    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize(
    "broken",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nOK",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nOK",
        b"OK",
    ],
)
def test_an_answer_that_breaks_the_protocol_is_a_failure(broken: bytes) -> None:
    with Connection(serve_once(broken), timeout=3) as connection:
        with pytest.raises((AssertionError, ConnectionError)):
            connection.receive()


def test_time_stamps_of_the_engine_are_exact() -> None:
    assert nanoseconds("1970-01-01T00:00:01.000000002Z") == 1_000_000_002
    assert nanoseconds("1970-01-01T00:00:01.5Z") == 1_500_000_000
    assert nanoseconds("1970-01-01T00:00:01Z") == 1_000_000_000


def test_waiting_has_an_end_and_says_what_was_last() -> None:
    with pytest.raises(AssertionError, match="the moon.*'no'"):
        wait_until(lambda: (_ for _ in ()).throw(ValueError("no")), 0.1, "the moon")
    with pytest.raises(AssertionError, match="no longer so"):
        stays(lambda: False, 1, "truth")


def test_a_process_that_does_not_obey_is_killed_and_reported(tmp_path) -> None:
    stubborn = Process(["/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"], tmp_path / "log")
    wait_until(lambda: "deaf" in stubborn.log, 3, "it has begun")
    with pytest.raises(AssertionError, match="did not end"):
        stubborn.stop(0.3)
    assert not stubborn.running


def test_the_engine_runs_the_demo_app_and_stops_it_quickly(engine: Engine) -> None:
    made = engine.docker("run", "-d", "-e", "ON_START=echo begun", "demo:1")
    assert made.returncode == 0, made.stderr
    container = made.stdout.strip()
    wait_until(lambda: "begun" in engine.logs(container), 5, "the app has begun")
    assert engine.shell(container, "echo $IMAGE_NUMBER") == "1"
    assert engine.execute(container, ["/bin/sh", "-c", "exit 3"])[0] == 3
    begin = time.monotonic()
    assert engine.docker("stop", container).returncode == 0
    assert time.monotonic() - begin < 3, "the demo app takes its time to end"
    assert engine.inspect(container)["State"]["ExitCode"] == 0


def test_events_tell_when_a_container_ended_and_began(engine: Engine) -> None:
    since = time.time()
    container = engine.docker("run", "-d", "--label", f"io.supervisor.app-id={target.APP}", "demo:1").stdout.strip()
    engine.docker("stop", container)
    events = engine.events(since, time.time(), target.APP)
    assert [event["Action"] for event in events if event["Action"] in ("start", "die")] == ["start", "die"]
    assert all(event["id"] == container for event in events)


def test_containers_on_the_bridge_reach_the_host(bridged: Engine) -> None:
    gateway = bridged.gateway()
    assert gateway
    with socket.create_server((gateway, 0)) as listener:
        listener.settimeout(10)
        port = listener.getsockname()[1]
        made = bridged.docker("run", "-d", "demo:1", "nc", gateway, str(port))
        assert made.returncode == 0, made.stderr
        client, address = listener.accept()
        client.close()
    assert address[0] != "127.0.0.1"


def test_an_engine_that_was_killed_starts_again_with_its_containers(new_engine) -> None:
    engine = new_engine()
    container = engine.docker("run", "-d", "--restart=always", "demo:1").stdout.strip()
    engine.kill()
    with pytest.raises(OSError):
        engine.call("GET", "/_ping")
    engine.start()
    wait_until(lambda: engine.inspect(container)["State"]["Running"], 15, "the container runs again")
    engine.dispose()
    assert not engine.root.exists()
    left = run(["pgrep", "-f", str(engine.root)]).stdout.split()
    assert not left, f"processes are left: {left}"


def test_only_the_engines_group_may_talk_to_it(engine: Engine, user) -> None:
    question = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", engine.socket, "http://e/_ping"]
    assert must(user.command(*question)) == "200"
    stranger = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", "--", *question]
    assert run(stranger).returncode != 0


def test_an_image_of_the_registry_is_pulled_and_runs(engine: Engine, published) -> None:
    image = published("plain", [1000, 1000])
    pulled = engine.docker("pull", image.reference)
    assert pulled.returncode == 0, pulled.stderr
    assert image.digest in pulled.stdout
    made = engine.docker("run", "--rm", image.reference, "sh", "-c", "cat /noise/* | wc -c; echo $((40 + 2))")
    assert "42" in made.stdout, made.stderr


def test_the_proxy_slows_a_pull_to_the_rate(engine: Engine, proxy, published) -> None:
    image = published("slow", [300_000, 300_000])
    engine.docker("pull", published("warm", [10]).reference)  # the base layer is there
    proxy.bytes_per_second = 300_000
    begin = time.monotonic()
    assert engine.docker("pull", image.reference).returncode == 0
    assert 1.8 < time.monotonic() - begin < 6


def test_the_proxy_passes_repeated_headers_on(engine: Engine, published) -> None:
    image = published("accept", [100])
    pulled = engine.docker("pull", image.reference)
    assert pulled.returncode == 0
    assert "Failed to pull manifest by the resolved digest" not in pulled.stdout + pulled.stderr


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "no basic auth|unauthorized"), (404, "not found|unknown"), (429, "toomanyrequests"), (500, "500")],
)
def test_the_proxy_answers_a_pull_with_a_failure(engine: Engine, proxy, published, status: int, says: str) -> None:
    image = published(f"refused-{status}", [100])
    proxy.fail("/manifests/", status)
    pulled = engine.docker("pull", image.reference)
    assert pulled.returncode != 0
    assert re.search(says, pulled.stderr, re.I), pulled.stderr


def test_a_blob_that_is_cut_once_is_fetched_again(engine: Engine, proxy, published) -> None:
    image = published("cut", [200_000])
    proxy.cut(after=50_000, times=1)
    assert engine.docker("pull", image.reference, timeout=40).returncode == 0
    assert proxy.cut_times == 0


def test_a_corrupt_blob_is_refused_by_the_engine(engine: Engine, proxy, published) -> None:
    image = published("corrupt", [5000])
    proxy.corrupt = True
    pulled = engine.docker("pull", image.reference, timeout=90)
    assert pulled.returncode != 0
    assert engine.image(image.reference) is None


def test_the_lock_tmpfs_is_small_and_belongs_to_the_user(tmp_path_factory, user) -> None:
    from harness.supervisor import mount_tmpfs

    point = tmp_path_factory.mktemp("locks") / "m"
    mount_tmpfs(point, user, "1m")
    try:
        options = next(line for line in open("/proc/mounts") if str(point) in line)
        assert all(word in options for word in ("nosuid", "nodev", "noexec"))
        assert point.stat().st_uid == user.uid
        with pytest.raises(OSError):
            (point / "big").write_bytes(b"x" * 2_000_000)
    finally:
        subprocess.run(["umount", point], check=True)


def test_a_failed_call_of_the_engine_has_its_status_and_text(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        engine.inspect("nothing")
    assert caught.value.status == 404
    assert "nothing" in caught.value.message


def test_the_parts_of_a_file_are_all_of_its_tests_each_once(tmp_path: Path) -> None:
    names = [f"test_{letter}" for letter in "abcdefg"]
    (tmp_path / "test_it.py").write_text("\n".join(f"def {name}(): pass" for name in names))

    def collected(*options: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", "-p", "harness.parts", "--collect-only", "-q", *options, tmp_path]
        done = run(command, env={"PYTHONPATH": str(REPOSITORY / "Tests"), "PATH": "/usr/bin:/bin"})
        return re.findall(r"::(\w+)", done.stdout)

    parts = [collected(f"--part={number}/3") for number in (1, 2, 3)]
    assert [len(part) for part in parts] == [3, 2, 2]
    assert sorted(sum(parts, [])) == names
    # What is left out otherwise is not counted.
    assert collected("--part=1/2", "-k", "not test_b") == ["test_a", "test_d", "test_f"]
    assert collected("--part=4/3") == []
