"""The update lock: every kind of holder, at each of the paths, against every action."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import pytest

from harness import target
from harness.processes import must
from harness.supervisor import Supervisor
from harness.waiting import stays, wait_until

PATHS = ["updates.lock", "resin-updates.lock", "data"]


def lock_path(supervisor: Supervisor, where: str, app: int = target.APP) -> Path:
    if where == "data":
        return supervisor.data_folder(app) / "resin-updates.lock"
    return supervisor.lock_folder(app) / where


# ---- holders: each makes a lock at a path, as the programs in the field do. The path is the host's view of the bind.


def exclusive(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def procmail(path: Path) -> None:
    must(["lockfile", "-r", "0", path])


def left_by_flock(path: Path) -> None:
    must(["flock", path, "true"])


def full_directory(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("x")


def dangling_link(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def fifo(path: Path) -> None:
    os.mkfifo(path)


HOLDERS: dict[str, Callable[[Path], None]] = {
    "O_EXCL": exclusive,
    "lockfile": procmail,
    "flock": left_by_flock,
    "directory": full_directory,
    "link": dangling_link,
    "fifo": fifo,
}


def closed_directory(path: Path) -> None:
    """The app closes the whole directory: nobody can tell any more whether there is a lock."""
    os.chown(path.parent, 0, 0)
    path.parent.chmod(0o700)


def foreign_directory(path: Path) -> None:
    """The app gives the directory to another user and closes it, with a lock in it."""
    exclusive(path)
    os.chown(path.parent, 1234, 1234)
    path.parent.chmod(0o700)


DIRECTORY_HOLDERS: dict[str, Callable[[Path], None]] = {"0700": closed_directory, "chown": foreign_directory}
CASES = [
    pytest.param(holder, where, id=f"{name}-{where}")
    for name, holder in {**HOLDERS, **DIRECTORY_HOLDERS}.items()
    for where in PATHS
]


# ---- actions: each asks, and tells whether it was refused


@dataclass(frozen=True)
class Snapshot:
    """What an action that is refused leaves exactly as it was."""

    container: str
    started: str
    data: tuple[str, ...]

    @staticmethod
    def of(supervisor: Supervisor, app: int = target.APP) -> "Snapshot":
        container = supervisor.engine.running(app)
        names = tuple(sorted(entry.name for entry in supervisor.data_folder(app).iterdir()))
        return Snapshot(container["Id"], container["State"]["StartedAt"], names)


@pytest.fixture
def fresh(device: Supervisor) -> Any:
    """The module's device with the demo app running, its data, and no lock."""
    settle(device)
    (device.data_folder() / "file").write_text("x")
    yield device
    release_all(device)


def settle(device: Supervisor) -> None:
    device.write_target(target.app(environment={"FOO": "bar"}))
    # Not with force: no lock is left here, and a check that is still to come would take the force to the next target.
    device.update()
    # An app that was stopped through the API stays so.
    wait_until(lambda: device.api("POST", f"/v1/apps/{target.APP}/start").status == 200, 10, "the app is started")
    device.wait_settled(release="a")


def release_all(device: Supervisor) -> None:
    """Takes every lock away, as root."""
    for folder in (device.lock_folder(), device.data_folder()):
        if folder.exists():
            os.chown(folder, device.user.uid, device.user.gid)
            folder.chmod(0o1777)
    for where in PATHS:
        must(["rm", "-rf", lock_path(device, where)])


def refused(device: Supervisor, action: str) -> None:
    """Asks without force; the answer has to be that it is locked, and nothing may have changed."""
    before = Snapshot.of(device)
    if action == "update":
        device.write_target(target.app(release="b"))
        device.update()
        wait_until(lambda: device.device()["update_failed"], 10, "the update is refused")
        state = device.device()
        assert (state["update_pending"], state["update_downloaded"]) == (True, True), state
        assert state["commit"] == target.commit("a")
    elif action == "removal":
        device.write_target()
        device.update()
        wait_until(lambda: device.device()["update_failed"], 10, "the removal is refused")
    else:
        answer = ask(device, action, force=False)
        assert answer.status == 423, answer
        if action == "purge":
            assert answer.json["Error"] and answer.json["Data"] == ""
        else:
            assert answer.text
    assert Snapshot.of(device) == before


def ask(device: Supervisor, action: str, force: bool) -> Any:
    path = f"/v1/apps/{target.APP}/stop" if action == "stop" else f"/v1/{action}"
    return device.api("POST", path, {"appId": target.APP, "force": force})


def done(device: Supervisor, action: str, before: Snapshot) -> None:
    """The action has had its effect."""
    if action == "update":
        assert device.wait_settled(release="b")["Id"] != before.container
    elif action == "removal":
        wait_until(lambda: not device.engine.containers(target.APP), 15, "the app is removed")
    elif action == "restart":
        assert device.engine.running(target.APP)["Id"] != before.container
    elif action == "stop":
        container = device.engine.container(target.APP)
        assert (container["Id"], container["State"]["Running"]) == (before.container, False)
    elif action == "purge":
        assert list(device.data_folder().iterdir()) == []
        assert device.engine.running(target.APP)


ACTIONS = ["update", "removal", "restart", "stop", "purge"]


@pytest.mark.parametrize(("holder", "where"), CASES)
def test_a_lock_refuses_every_action_and_nothing_changes(fresh: Supervisor, holder: Callable, where: str) -> None:
    holder(lock_path(fresh, where))
    wait_until(fresh.held_locks, 3, "the lock is seen")
    for action in ("restart", "stop", "purge", "update"):
        refused(fresh, action)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("holder", "where"), CASES)
def test_force_overrides_a_lock(fresh: Supervisor, holder: Callable, where: str, action: str) -> None:
    before = Snapshot.of(fresh)
    holder(lock_path(fresh, where))
    if action in ("update", "removal"):
        refused(fresh, action)
        fresh.update(force=True)
    else:
        answer = ask(fresh, action, force=True)
        assert answer.status == 200, answer
    done(fresh, action, before)
    # In a /data that belongs to another user the supervisor, who is not root, can remove nothing.
    if action in ("restart", "purge") and not (action == "restart" and where == "data" and holder is foreign_directory):
        container = fresh.engine.running(target.APP)["Id"]
        left = fresh.engine.shell(container, "ls -A /tmp/balena /tmp/resin; ls /data/resin-updates.lock 2>/dev/null || true")
        assert "lock" not in left, "the lock has gone with its container"


@pytest.mark.parametrize("where", PATHS)
def test_a_lock_refuses_the_removal_of_an_app(fresh: Supervisor, where: str) -> None:
    exclusive(lock_path(fresh, where))
    refused(fresh, "removal")


@pytest.mark.parametrize("value", ["1", "true", "on"])
@pytest.mark.parametrize("action", ACTIONS)
def test_the_override_variable_of_the_device_opens_every_lock(fresh: Supervisor, action: str, value: str) -> None:
    config = {"RESIN_SUPERVISOR_OVERRIDE_LOCK": value}
    fresh.write_target(target.app(environment={"FOO": "bar"}), config=config)
    wait_until(lambda: overriding(fresh, value), 5, "the new target is in force")
    before = Snapshot.of(fresh)
    exclusive(lock_path(fresh, "updates.lock"))
    if action == "update":
        fresh.write_target(target.app(release="b"), config=config)
        fresh.update()
    elif action == "removal":
        fresh.write_target(config=config)
        fresh.update()
    else:
        answer = ask(fresh, action, force=False)
        assert answer.status == 200, answer
    done(fresh, action, before)


def overriding(device: Supervisor, value: str) -> bool:
    """Whether the kept target has the variable: then it is in force."""
    kept = device.state / "target.json"
    return f'"RESIN_SUPERVISOR_OVERRIDE_LOCK":"{value}"' in kept.read_text().replace(": ", ":")


@pytest.mark.parametrize("value", ["0", "false", "", "off"])
def test_an_override_variable_that_says_no_opens_nothing(fresh: Supervisor, value: str) -> None:
    fresh.write_target(target.app(environment={"FOO": "bar"}), config={"RESIN_SUPERVISOR_OVERRIDE_LOCK": value})
    wait_until(lambda: overriding(fresh, value), 5, "the new target is in force")
    exclusive(lock_path(fresh, "updates.lock"))
    assert ask(fresh, "restart", force=False).status == 423


def test_an_apps_own_override_opens_its_own_lock_only(supervisor: Supervisor) -> None:
    override = {"RESIN_SUPERVISOR_OVERRIDE_LOCK": "1"}
    supervisor.write_target(target.app(environment=override), target.app(target.OTHER, name="other"))
    supervisor.start()
    supervisor.wait_settled(release="a")
    supervisor.wait_settled(target.OTHER)
    for app in (target.APP, target.OTHER):
        exclusive(lock_path(supervisor, "updates.lock", app))
    assert supervisor.api("POST", "/v1/restart", {"appId": target.OTHER}).status == 423
    assert supervisor.api("POST", "/v1/restart", {"appId": target.APP}).status == 200


# ---- several apps


def test_with_two_apps_and_one_locked_nothing_is_stopped_anywhere(supervisor: Supervisor) -> None:
    supervisor.write_target(target.app(), target.app(target.OTHER, name="other"))
    supervisor.start()
    supervisor.wait_settled(release="a")
    before = {app: supervisor.wait_settled(app)["Id"] for app in (target.APP, target.OTHER)}
    exclusive(lock_path(supervisor, "updates.lock", target.OTHER))
    supervisor.write_target(target.app(release="b"), target.app(target.OTHER, name="other", release="b"))
    supervisor.update()
    wait_until(lambda: supervisor.device()["update_failed"], 10, "the update is refused")
    stays(lambda: {app: supervisor.engine.running(app)["Id"] for app in before} == before, 2, "nothing is stopped")
    lock_path(supervisor, "updates.lock", target.OTHER).unlink()
    supervisor.wait_settled(target.APP, "b")
    supervisor.wait_settled(target.OTHER, "b")


def test_a_lock_of_one_app_says_nothing_about_another(supervisor: Supervisor) -> None:
    supervisor.write_target(target.app(), target.app(target.OTHER, name="other"))
    supervisor.start()
    supervisor.wait_settled(release="a")
    supervisor.wait_settled(target.OTHER)
    exclusive(lock_path(supervisor, "updates.lock", target.OTHER))
    assert supervisor.api("POST", "/v1/restart", {"appId": target.APP}).status == 200
    assert supervisor.api("POST", "/v1/restart", {"appId": target.OTHER}).status == 423


# ---- time


@pytest.mark.parametrize("where", PATHS)
def test_unlocking_applies_a_waiting_update_within_a_second(fresh: Supervisor, where: str, measured) -> None:
    exclusive(lock_path(fresh, where))
    fresh.write_target(target.app(release="b"))
    fresh.update()
    wait_until(lambda: fresh.device()["update_failed"], 10, "the update is refused")
    time.sleep(3)  # far enough into the back-off for a retry not to be what notices
    since = time.time()
    lock_path(fresh, where).unlink()
    fresh.wait_settled(release="b", deadline=5)
    stopped: list[float] = [e["timeNano"] / 1e9 for e in fresh.engine.events(since, time.time(), target.APP) if e["Action"] in ("kill", "die")]
    measured(f"unlocking {where}: the update began after {(stopped[0] - since) * 1000:.0f} ms")
    assert stopped and stopped[0] - since < 1, f"it took {stopped[0] - since:.2f} s to begin"


@pytest.mark.parametrize("where", PATHS)
def test_opening_a_closed_directory_applies_a_waiting_update(fresh: Supervisor, where: str) -> None:
    closed_directory(lock_path(fresh, where))
    fresh.write_target(target.app(release="b"))
    fresh.update()
    wait_until(lambda: fresh.device()["update_failed"], 10, "the update is refused")
    lock_path(fresh, where).parent.chmod(0o777)
    fresh.wait_settled(release="b", deadline=10)


def test_a_lock_counts_only_while_its_container_runs(fresh: Supervisor) -> None:
    assert ask(fresh, "stop", force=False).status == 200
    exclusive(lock_path(fresh, "updates.lock"))
    exclusive(lock_path(fresh, "data"))
    assert ask(fresh, "restart", force=False).status == 200
    assert not lock_path(fresh, "updates.lock").exists()


def test_start_honours_no_lock(fresh: Supervisor) -> None:
    assert ask(fresh, "stop", force=False).status == 200
    exclusive(lock_path(fresh, "updates.lock"))
    assert fresh.api("POST", f"/v1/apps/{target.APP}/start").status == 200


# ---- what the app sees during an operation

TRY = {
    "O_EXCL": "(set -C; : > {path}) 2>/dev/null && echo taken || echo refused",
    "flock": "flock -n {path} true 2>/dev/null && echo taken || echo refused",
}


@pytest.mark.parametrize("client", sorted(TRY))
@pytest.mark.parametrize("path", ["/tmp/balena/updates.lock", "/tmp/resin/resin-updates.lock", "/tmp/resin/updates.lock"])
@pytest.mark.parametrize("action", ["restart", "update", "purge"])
def test_an_app_that_asks_during_an_operation_is_refused(supervisor: Supervisor, action: str, path: str, client: str) -> None:
    mark = supervisor.root / "mark"
    mark.mkdir()
    mark.chmod(0o777)
    environment = {
        "ON_START": ": > /mark/started",
        "ON_TERM": f"({TRY[client].format(path=path)}) > /mark/answer",
    }
    app = {"environment": environment, "volumes": [f"{mark}:/mark"]}
    supervisor.write_target(target.app(**app))
    supervisor.start()
    before = Snapshot.of(supervisor) if supervisor.wait_settled(release="a") else None
    # A shell that has not set its trap yet is told nothing.
    wait_until((mark / "started").exists, 20, "the app has begun")
    if action == "update":
        supervisor.write_target(target.app(release="b", **app))
    else:
        assert ask(supervisor, action, force=False).status == 200
    assert before
    done(supervisor, action, before)
    assert (mark / "answer").read_text().strip() == "refused"


@pytest.mark.parametrize("kind", ["O_EXCL", "flock", "fcntl"])
def test_our_lock_is_there_for_clients_of_every_kind(supervisor: Supervisor, kind: str) -> None:
    """The app takes its time to end; meanwhile somebody tries from the host's side of the bind."""
    supervisor.write_target(target.app(environment={"ON_TERM": "sleep 1.5"}))
    supervisor.start()
    supervisor.wait_settled(release="a")
    supervisor.write_target(target.app(release="b"))
    for where in PATHS[:2]:
        path = lock_path(supervisor, where)
        wait_until(path.exists, 10, "the supervisor takes the lock")
        if kind == "O_EXCL":
            with pytest.raises(FileExistsError):
                exclusive(path)
            continue
        with open(path, "r+b") as file, pytest.raises(BlockingIOError):
            (fcntl.flock if kind == "flock" else fcntl.lockf)(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    supervisor.wait_settled(release="b")
    assert not [where for where in PATHS if lock_path(supervisor, where).exists()], "a lock of ours is left"


@pytest.mark.parametrize("path", ["/tmp/balena/updates.lock", "/tmp/resin/resin-updates.lock", "/data/resin-updates.lock"])
@pytest.mark.parametrize("action", ["update", "restart", "purge"])
def test_the_first_instruction_of_the_new_container_can_take_the_lock(
    supervisor: Supervisor, action: str, path: str
) -> None:
    mark = supervisor.root / "mark"
    mark.mkdir()
    mark.chmod(0o777)
    app = {
        "environment": {"ON_START": f"({TRY['O_EXCL'].format(path=path)}) >> /mark/answers"},
        "volumes": [f"{mark}:/mark"],
    }
    supervisor.write_target(target.app(**app))
    supervisor.start()
    supervisor.wait_settled(release="a")
    before = Snapshot.of(supervisor)
    answers = mark / "answers"
    wait_until(lambda: answers.exists() and answers.read_text(), 20, "the app has tried for the first time")
    if action == "update":
        supervisor.write_target(target.app(release="b", **app))
        wait_until(lambda: supervisor.device()["update_failed"], 10, "the app's own lock refuses the update")
        supervisor.update(force=True)
        supervisor.wait_settled(release="b")
    else:
        assert ask(supervisor, action, force=True).status == 200
    wait_until(lambda: len((mark / "answers").read_text().split()) == 2, 10, "both containers have tried")
    assert (mark / "answers").read_text().split() == ["taken", "taken"]
    assert supervisor.engine.running(target.APP)["Id"] != before.container or action == "purge"
    wait_until(supervisor.held_locks, 3, "the new lock is seen")


def test_a_container_that_the_engine_restarts_keeps_its_lock(fresh: Supervisor) -> None:
    container = fresh.engine.running(target.APP)
    fresh.engine.shell(container["Id"], ": > /tmp/balena/updates.lock; : > /data/resin-updates.lock")
    # What a crash is to the engine: the process is gone, and nobody asked for it.
    must(["kill", "-KILL", str(container["State"]["Pid"])])
    wait_until(lambda: fresh.engine.running(target.APP)["RestartCount"] == 1, 15, "the engine has started it again")
    assert lock_path(fresh, "updates.lock").exists() and lock_path(fresh, "data").exists()
    assert ask(fresh, "restart", force=False).status == 423


def test_force_leaves_the_lock_alone_until_the_stop_has_succeeded(supervisor: Supervisor) -> None:
    supervisor.write_target(target.app(environment={"ON_TERM": "ls /tmp/balena > /data/seen; sleep 0.3"}))
    supervisor.start()
    supervisor.wait_settled(release="a")
    path = lock_path(supervisor, "updates.lock")
    path.write_text("the app's own")
    inode = path.stat().st_ino
    assert ask(supervisor, "restart", force=True).status == 200
    assert "updates.lock" in (supervisor.data_folder() / "seen").read_text()
    assert not path.exists() or path.stat().st_ino != inode


# ---- supervisors that end


def test_a_users_lock_survives_a_supervisor_restart(fresh: Supervisor) -> None:
    for where in PATHS:
        exclusive(lock_path(fresh, where))
    fresh.restart()
    fresh.wait_settled(release="a")
    assert all(lock_path(fresh, where).exists() for where in PATHS)
    fresh.kill()
    fresh.start()
    fresh.wait_settled(release="a")
    assert all(lock_path(fresh, where).exists() for where in PATHS)
    assert ask(fresh, "restart", force=False).status == 423


@pytest.mark.parametrize("how", ["stopped", "killed", "prepared"])
@pytest.mark.parametrize(("holder", "where"), CASES)
def test_a_lock_of_any_kind_survives_a_supervisor(fresh: Supervisor, holder: Callable, where: str, how: str) -> None:
    holder(lock_path(fresh, where))
    before = Snapshot.of(fresh)
    fresh.kill() if how == "killed" else fresh.stop()
    fresh.start(prepare=how == "prepared")
    wait_until(fresh.held_locks, 5, "the lock is seen")
    assert ask(fresh, "restart", force=False).status == 423
    assert Snapshot.of(fresh) == before


def test_a_killed_supervisors_own_lock_is_cleared_at_start(supervisor: Supervisor) -> None:
    supervisor.write_target(target.app(environment={"ON_TERM": "sleep 2"}))
    supervisor.start()
    supervisor.wait_settled(release="a")
    supervisor.write_target(target.app(release="b"))
    path = lock_path(supervisor, "updates.lock")
    wait_until(path.exists, 10, "the supervisor takes the lock")
    supervisor.kill()
    supervisor.start()
    supervisor.wait_settled(release="b", deadline=30)
    assert not [where for where in PATHS if lock_path(supervisor, where).exists()]
    assert supervisor.held_locks() == []


def test_a_stopped_supervisor_leaves_no_lock_and_the_app_runs_on(fresh: Supervisor) -> None:
    before = Snapshot.of(fresh)
    assert fresh.stop() == 0
    assert Snapshot.of(fresh) == before
    assert not [where for where in PATHS if lock_path(fresh, where).exists()]
    fresh.start()


# ---- what is told


@pytest.mark.parametrize(("holder", "where"), CASES)
def test_who_holds_what_since_when_is_told(fresh: Supervisor, holder: Callable, where: str) -> None:
    begin = int(time.time())
    holder(lock_path(fresh, where))
    held = wait_until(fresh.held_locks, 3, "the lock is told")
    mine = [lock for lock in held if Path(lock["path"]) in (lock_path(fresh, where), lock_path(fresh, where).parent)]
    assert mine, held
    assert mine[0]["appId"] == target.APP
    assert mine[0]["service"] == (None if where == "data" else target.SERVICE)
    if holder in DIRECTORY_HOLDERS.values():
        assert mine[0]["reason"]
    else:
        assert "0" in str(mine[0]["holder"])
        assert begin - 2 <= mine[0]["since"] <= time.time() + 2


def test_the_lock_path_is_in_the_environment(fresh: Supervisor) -> None:
    container = fresh.engine.running(target.APP)["Id"]
    assert fresh.engine.shell(container, 'echo "$RESIN_APP_LOCK_PATH"') == "/tmp/balena/updates.lock"
    fresh.engine.shell(container, ': > "$RESIN_APP_LOCK_PATH"')
    assert ask(fresh, "restart", force=False).status == 423


def test_the_lock_directory_is_open_to_every_user_and_belongs_to_the_supervisor(fresh: Supervisor) -> None:
    status = fresh.lock_folder().stat()
    assert status.st_mode & 0o7777 == 0o1777
    assert status.st_uid == fresh.user.uid
