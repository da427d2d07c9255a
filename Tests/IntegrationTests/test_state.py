"""Damaged state files, a full disk: start-up goes on, no key is lost, no dead key comes back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest

from harness import target
from harness.engine import Engine
from harness.supervisor import Supervisor
from harness.waiting import wait_until
from harness.wire import exchange, request

FILES = ["identity.json", "target.json", "api-key"]


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 4)


def unreadable(path: Path) -> None:
    path.chmod(0)


def missing(path: Path) -> None:
    path.unlink()


def own(path: Path) -> None:
    """As everything else in there it belongs to the supervisor."""
    folder = path.parent.stat()
    os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    own(path)


def endless(path: Path) -> None:
    """Far larger than any state of ours."""
    with open(path, "wb") as file:
        file.truncate(64 << 20)


def link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/at/all")
    own(path)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    own(path)


#: what looks as if there were no file, and is no news
ABSENT = (missing, link_to_nowhere)
DAMAGES = [truncate, empty, garbage, unreadable, missing, directory, endless, link_to_nowhere, fifo]


@pytest.fixture
def kept(running: Supervisor) -> Supervisor:
    """A device with all of its state in both generations, stopped; its app runs on."""
    running.write_target(target.app(environment={"GENERATION": "2"}))
    wait_until(lambda: "GENERATION=2" in running.engine.running(target.APP)["Config"]["Env"], 10, "a second target")
    running.wait_settled(release="a")
    running.restart()
    running.wait_settled(release="a")
    running.facts = facts(running)  # type: ignore[attr-defined]
    running.stop()
    running.log_file.write_text("")
    return running


def facts(supervisor: Supervisor) -> dict[str, str]:
    return {
        "key": supervisor.key,
        "uuid": supervisor.control_json("/control/status")["device"]["uuid"],
        "container": supervisor.engine.running(target.APP)["Id"],
    }


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_falls_back_to_its_other_generation(kept: Supervisor, name: str, damage: Callable) -> None:
    damage(kept.state / name)
    # So that the kept target is what counts.
    kept.target_file.unlink()
    kept.start()
    older = name == "target.json"

    def fallen_back() -> bool:
        """The other generation of the target is the one before; the other state is the same in both."""
        kept.settled(release="a")
        now = facts(kept)
        env = kept.engine.running(target.APP)["Config"]["Env"]
        assert ("GENERATION=2" in env) != older
        same = ("key", "uuid") if older else ("key", "uuid", "container")
        return all(now[fact] == kept.facts[fact] for fact in same)  # type: ignore[attr-defined]

    wait_until(fallen_back, 20, "the other generation is in force")
    kept.wait_settled(release="a")
    if damage not in ABSENT:
        assert f"/{name}" in kept.log, "the log names the file"
    assert kept.healthy()[0]
    kept.restart()
    kept.wait_settled(release="a")
    assert fallen_back()
    assert (kept.state / name).is_file(), "the file is put right"


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda function: function.__name__)
def test_start_goes_on_with_every_file_damaged(kept: Supervisor, damage: Callable) -> None:
    for name in FILES:
        for generation in ("", ".last"):
            path = kept.state / (name + generation)
            if path.exists():
                damage(path)
    kept.target_file.unlink()
    (kept.data_folder() / "precious").write_text("kept")
    kept.prepare()
    kept.start(prepare=False, deadline=15)
    wait_until(lambda: kept.control_json("/control/status")["engine"]["state"] == "connected", 10, "it goes on")
    key = kept.key
    assert len(key) == 64
    assert kept.api("GET", "/ping").status == 200
    assert kept.api("GET", "/ping", key=kept.facts["key"]).status == (200 if key == kept.facts["key"] else 401)  # type: ignore[attr-defined]

    def is_back() -> bool:
        """The former container may still run, and the supervisor be idle, until its first look at the engine."""
        container = kept.settled(release="a")
        return f"RESIN_SUPERVISOR_API_KEY={key}" in container["Config"]["Env"]

    # The engine's labels still say what should run; the app comes back, with the key that is in force.
    wait_until(is_back, 30, "the app runs with the key that is in force")
    kept.wait_settled(release="a")
    assert (kept.data_folder() / "precious").read_text() == "kept"
    if damage not in ABSENT:
        for name in FILES:
            assert f"/{name}" in kept.log, f"the log names {name}"
    for name in ("identity.json", "api-key"):
        assert (kept.state / name).is_file()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda function: function.__name__)
def test_a_damaged_list_of_pulled_images_costs_no_image_of_others(
    supervisor: Supervisor, published, damage: Callable
) -> None:
    image = published(f"listed-{damage.__name__}", [1000])
    supervisor.write_target(target.app(image=image.reference))
    supervisor.start()
    supervisor.wait_settled(release="a", deadline=30)
    supervisor.stop()
    for generation in ("", ".last"):
        path = supervisor.state / ("images.json" + generation)
        if path.exists():
            damage(path)
    supervisor.start()
    supervisor.write_target(target.app(image="demo:1", release="b"))
    supervisor.wait_settled(release="b")
    if damage not in ABSENT:
        assert "/images.json" in supervisor.log, "the log names the file"
    assert supervisor.engine.image("demo:1") and supervisor.engine.image("demo:2"), "images of others stay"


def test_a_fallback_never_brings_a_dead_key_back(running: Supervisor) -> None:
    dead = [running.key]
    for _ in range(3):
        dead.append(running.api("POST", "/v1/regenerate-api-key").text)
    alive = dead.pop()
    for damaged in ("api-key", "api-key.last"):
        running.kill()
        garbage(running.state / damaged)
        running.start()
        assert running.key == alive
        for key in dead:
            assert running.api("GET", "/ping", key=key).status == 401
        assert running.api("GET", "/ping", key=alive).status == 200


@pytest.mark.parametrize("name", ["identity.json", "target.json"])
def test_a_file_of_a_newer_version_is_kept_aside(kept: Supervisor, name: str) -> None:
    newer = b'{"version":99,"uuid":"whatever","target":{},"wonder":true}'
    (kept.state / name).write_bytes(newer)
    kept.start()
    kept.wait_settled(release="a")
    now = facts(kept)
    assert (now["key"], now["uuid"]) == (kept.facts["key"], kept.facts["uuid"])  # type: ignore[attr-defined]
    aside = [file for file in kept.state.iterdir() if file.is_file() and file.read_bytes() == newer]
    assert len(aside) == 1 and aside[0].name != name
    assert "newer" in kept.log


def test_files_that_root_has_restored_are_used_and_replaced(kept: Supervisor) -> None:
    """As after a backup: the supervisor may read them, and they belong to root."""
    for name in FILES:
        for generation in ("", ".last"):
            path = kept.state / (name + generation)
            if path.exists():
                os.chown(path, 0, kept.user.gid)
                path.chmod(0o640)
    kept.start()
    kept.wait_settled(release="a")
    assert facts(kept) == kept.facts  # type: ignore[attr-defined]
    kept.write_target(target.app(release="b"))
    kept.wait_settled(release="b")
    assert target.commit("b") in (kept.state / "target.json").read_text(), "the new target is kept"
    new = kept.api("POST", "/v1/regenerate-api-key")
    assert new.status == 200 and kept.key == new.text


def test_leftovers_of_a_write_that_was_cut_short_do_no_harm(kept: Supervisor) -> None:
    for name in FILES:
        for suffix in (".new", ".last.new", ".new.last", ".tmp"):
            (kept.state / (name + suffix)).write_bytes(b"half a fi")
    kept.start()
    kept.wait_settled(release="a")
    assert facts(kept) == kept.facts  # type: ignore[attr-defined]


def test_a_state_directory_that_cannot_be_written_stops_nothing(kept: Supervisor) -> None:
    os.chown(kept.state, 0, 0)
    kept.state.chmod(0o755)
    for name in FILES:
        for generation in ("", ".last"):
            if (kept.state / (name + generation)).exists():
                os.chown(kept.state / (name + generation), kept.user.uid, kept.user.gid)
    kept.start()
    kept.wait_settled(release="a")
    assert facts(kept) == kept.facts  # type: ignore[attr-defined]
    refused = kept.api("POST", "/v1/regenerate-api-key")
    assert refused.status == 503
    assert kept.api("GET", "/ping", key=kept.facts["key"]).status == 200  # type: ignore[attr-defined]


# ---- a full disk


@pytest.fixture
def cramped(engine: Engine, new_supervisor: Callable[..., Supervisor]) -> Supervisor:
    """A device whose state directory is a file system of 256 kB."""
    return new_supervisor(engine, state_size="256k")


def fill(supervisor: Supervisor) -> Path:
    ballast = supervisor.state / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return ballast


def test_a_disk_that_fills_up_loses_no_key_and_stops_nothing(cramped: Supervisor) -> None:
    cramped.write_target(target.app())
    cramped.start()
    before = cramped.wait_settled(release="a")["Id"]
    old = cramped.key
    ballast = fill(cramped)
    refused = cramped.api("POST", "/v1/regenerate-api-key")
    assert refused.status == 503, refused
    assert cramped.api("GET", "/ping", key=old).status == 200, "the old key goes on"
    assert cramped.key == old
    assert cramped.api("POST", "/v1/restart", {"appId": target.APP}).status == 200
    after = cramped.wait_settled(release="a")["Id"]
    assert after != before
    cramped.kill()
    cramped.start()
    assert cramped.wait_settled(release="a")["Id"] == after
    assert cramped.api("GET", "/ping", key=old).status == 200
    ballast.unlink()
    new = cramped.api("POST", "/v1/regenerate-api-key")
    assert new.status == 200
    assert cramped.api("GET", "/ping", key=old).status == 401
    assert cramped.key == new.text


def test_a_first_start_on_a_full_disk_goes_on(cramped: Supervisor) -> None:
    cramped.write_target(target.app())
    ballast = fill(cramped)
    cramped.start()
    cramped.wait_settled(release="a")
    assert "api-key" in cramped.log, "the log names the file that could not be written"
    # The key is nowhere on the disk: the control socket tells it.
    answer = exchange(cramped.control, request("GET", "/control/key"))
    assert answer.status == 200 and len(answer.text) == 64
    assert cramped.api("GET", "/ping", key=answer.text).status == 200
    ballast.unlink()


def test_a_new_target_on_a_full_disk_is_applied_all_the_same(cramped: Supervisor) -> None:
    cramped.write_target(target.app())
    cramped.start()
    cramped.wait_settled(release="a")
    temporary = cramped.state / ".apps.json.new"
    ballast = fill(cramped)
    room = ballast.stat().st_size
    os.truncate(ballast, room - 8192)
    cramped.write_target(target.app(release="b"))
    with open(ballast, "ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 1024)
        except OSError:
            pass
    assert not temporary.exists()
    cramped.wait_settled(release="b")


def test_a_lock_directory_that_is_full_refuses_instead_of_going_without_a_lock(running: Supervisor) -> None:
    """Fill the small file system to its last inode's worth, as an app can do."""
    container = running.engine.running(target.APP)["Id"]
    running.engine.execute(container, ["/bin/sh", "-c", "dd if=/dev/zero of=/tmp/balena/junk bs=4k 2>/dev/null; true"])
    answer = running.api("POST", "/v1/restart", {"appId": target.APP})
    # An empty file needs no room in a tmpfs: either it works, or it says so; it never hangs and never half works.
    assert answer.status in (200, 423, 503), answer
    assert running.engine.running(target.APP)
    forced = running.api("POST", "/v1/restart", {"appId": target.APP, "force": True})
    assert forced.status == 200, forced
    assert not (running.lock_folder() / "junk").exists()


# ---- purges that were cut short


def test_what_an_interrupted_purge_left_is_reaped_at_the_next_start(kept: Supervisor) -> None:
    rest = kept.data / ".purge-7"
    (rest / "deep" / "deeper").mkdir(parents=True)
    (rest / "deep" / "file").write_text("x")
    for path in [rest, *rest.rglob("*")]:
        os.chown(path, kept.user.uid, kept.user.gid, follow_symlinks=False)
    kept.start()
    wait_until(lambda: not rest.exists(), 10, "it is reaped")
    kept.wait_settled(release="a")
