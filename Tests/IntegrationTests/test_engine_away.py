"""The engine stops, dies, comes back; the API answers all the while."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from typing import Callable, Iterator

import pytest

from harness import target
from harness.engine import Engine
from harness.processes import must
from harness.seed import SEED
from harness.supervisor import Supervisor, mount_tmpfs
from harness.waiting import wait_until

#: how long the engine is away, in seconds; health may call it a trouble after 30
AWAY = float(os.environ.get("SUPERVISOR_TEST_AWAY", "60"))


@pytest.fixture(scope="module")
def module_engine(new_engine: Callable[..., Engine]) -> Engine:
    return new_engine()


@pytest.fixture
def mortal(module_engine: Engine) -> Iterator[Engine]:
    """An engine that a test may kill; it runs again afterwards, empty."""
    if not module_engine.process:
        module_engine.start()
    module_engine.remove_all()
    module_engine.remove_images({"demo:1", "demo:2"})
    yield module_engine
    if not (module_engine.process and module_engine.process.running):
        module_engine.start()


@pytest.fixture
def mortal_device(mortal: Engine, new_supervisor: Callable[..., Supervisor]) -> Supervisor:
    supervisor = new_supervisor(mortal)
    supervisor.write_target(target.app())
    return supervisor


class Prober:
    """Asks /ping all the time, and remembers the slowest answer and every failure."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.slowest = 0.0
        self.count = 0
        self.failures: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Prober":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._end.wait(0.05):
            begin = time.monotonic()
            try:
                answer = self.supervisor.api("GET", "/ping", timeout=5)
                assert answer.status == 200, answer
                assert self.supervisor.api("GET", "/v1/device", timeout=5).status == 200
            except Exception as error:
                self.failures.append(repr(error))
            self.slowest = max(self.slowest, time.monotonic() - begin)
            self.count += 1

    def check(self) -> None:
        assert self.count > 10 and not self.failures, self.failures[:3]
        assert self.slowest < 1, f"an answer took {self.slowest:.2f} s"


def test_the_api_answers_all_through_an_engines_absence(mortal: Engine, mortal_device: Supervisor) -> None:
    device = mortal_device
    device.start()
    before = device.wait_settled(release="a")["Id"]
    with Prober(device) as prober:
        mortal.stop()
        gone = time.monotonic()
        wait_until(lambda: device.control_json("/control/status")["engine"]["state"] == "away", 15, "it is noticed")
        assert device.healthy()[0], "a short absence is no trouble"
        for method, path, body in (
            ("POST", "/v1/restart", {"appId": target.APP}),
            ("POST", f"/v1/apps/{target.APP}/stop", None),
            ("POST", f"/v1/apps/{target.APP}/start", None),
            ("POST", "/v1/purge", {"appId": target.APP}),
        ):
            answer = device.api(method, path, body)
            assert answer.status == 503, (path, answer)
        assert device.api("POST", "/v1/update").status == 204
        device.write_target(target.app(image="demo:2", release="b"))
        if AWAY > 35:
            healthy, reason = wait_until(lambda: not device.healthy()[0] and device.healthy(), 45, "health says why")
            assert not healthy and "engine" in reason.lower() and "\n" not in reason.strip()
            assert time.monotonic() - gone >= 28
        time.sleep(max(0.0, AWAY - (time.monotonic() - gone)))
        mortal.start()
        after = device.wait_settled(release="b", deadline=60)
    assert after["Id"] != before
    wait_until(lambda: device.healthy()[0], 5, "it is healthy again")
    prober.check()


def test_an_engine_that_is_killed_in_a_pull_is_made_good(mortal: Engine, mortal_device: Supervisor, proxy, published) -> None:
    device = mortal_device
    image = published("interrupted", [600_000])
    device.start()
    device.wait_settled(release="a")
    proxy.bytes_per_second = 150_000
    with Prober(device) as prober:
        device.write_target(target.app(image=image.reference, release="b"))
        wait_until(lambda: (device.device()["download_progress"] or 0) > 5, 20, "it downloads")
        mortal.kill()
        time.sleep(1.5)
        proxy.bytes_per_second = None
        mortal.start()
        device.wait_settled(release="b", deadline=60)
    prober.check()


def test_a_supervisor_that_starts_before_the_engine_listens_and_converges(mortal: Engine, mortal_device: Supervisor) -> None:
    mortal.stop()
    mortal_device.start()
    assert mortal_device.api("GET", "/ping").status == 200
    assert mortal_device.device()["status"] == "Idle"
    assert mortal_device.healthy()[0]
    mortal.start()
    mortal_device.wait_settled(release="a", deadline=30)


def test_no_lock_of_ours_stays_when_the_engine_dies_in_an_operation(mortal: Engine, mortal_device: Supervisor) -> None:
    device = mortal_device
    device.write_target(target.app(environment={"ON_TERM": "sleep 1"}))
    device.start()
    device.wait_settled(release="a")
    for moment in (0.1, 0.6, 1.3):
        thread = threading.Thread(target=lambda: device.api("POST", "/v1/restart", {"appId": target.APP}, timeout=60))
        thread.start()
        time.sleep(moment)
        mortal.kill()
        time.sleep(0.3)
        mortal.start()
        thread.join(60)
        assert not thread.is_alive(), "the request is never answered"
        device.wait_settled(release="a", deadline=40)
        wait_until(lambda: device.held_locks() == [], 5, "no lock is left")
        assert not list(device.lock_folder().iterdir())


def test_an_engine_that_is_killed_while_it_starts_a_container_leaves_none_that_never_starts(
    mortal: Engine, mortal_device: Supervisor, measured: Callable[[str], None]
) -> None:
    """About one in six of these kills leaves a container of which the engine says for ever "task already exists"."""
    device = mortal_device
    device.start()
    device.wait_settled(release="a")
    generator = random.Random(SEED)
    kills, slowest = 0, 0.0

    def stuck() -> int:
        return sum("The update failed: cannot start container" in line for line in device.log.splitlines())

    while kills < 20 and not stuck():
        made = device.log.count("Created the container")
        thread = threading.Thread(target=lambda: device.api("POST", "/v1/restart", {"appId": target.APP}, timeout=60))
        thread.start()
        wait_until(lambda: device.log.count("Created the container") > made, 20, f"it is made anew, seed {SEED}")
        time.sleep(generator.uniform(0, 0.35))
        mortal.kill()
        mortal.start()
        kills += 1
        thread.join(60)
        assert not thread.is_alive(), "the request is never answered"
        begun = time.monotonic()
        device.wait_settled(release="a", deadline=40)
        slowest = max(slowest, time.monotonic() - begun)
        assert len(mortal.containers(target.APP)) == 1
    measured(
        f"engine killed while it starts a container: seed {SEED}, {kills} kills, {stuck()} left one that does not start, "
        f"running again within {slowest:.1f} s"
    )


# ---- as after a boot


def boot(device: Supervisor, prepare_first: bool) -> None:
    """Engine and supervisor stop, the lock directory is wiped; then everything starts in the order of a boot."""
    device.stop()
    device.engine.stop()
    must(["umount", device.locks])
    mount_tmpfs(device.locks, device.user, "1m")
    shutil.rmtree(device.run_folder)
    device.run_folder.mkdir()
    os.chown(device.run_folder, device.user.uid, device.user.gid)
    if prepare_first:
        done = device.prepare()
        assert done.returncode == 0, done.stderr
    device.engine.start()


def check_locking(device: Supervisor) -> None:
    """The directory in the container is the supervisor's own, and a lock in it is honoured."""
    container = device.wait_settled(release="a", deadline=40)
    status = device.lock_folder().stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (device.user.uid, 0o1777)
    device.engine.shell(container["Id"], ": > /tmp/balena/updates.lock")
    assert (device.lock_folder() / "updates.lock").exists()
    assert device.api("POST", "/v1/restart", {"appId": target.APP}).status == 423


def test_prepare_makes_the_directories_before_the_engine_does(mortal: Engine, mortal_device: Supervisor) -> None:
    device = mortal_device
    device.start()
    before = device.wait_settled(release="a")["Id"]
    boot(device, prepare_first=True)
    status = device.lock_folder().stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (device.user.uid, 0o1777)
    wait_until(lambda: mortal.running(target.APP), 20, "the engine starts the app without the supervisor")
    assert mortal.running(target.APP)["Id"] == before
    device.start(prepare=False)
    check_locking(device)
    assert mortal.running(target.APP)["Id"] == before


def test_a_lock_in_data_outlives_a_restart_but_no_boot(mortal: Engine, mortal_device: Supervisor) -> None:
    device = mortal_device
    device.start()
    device.wait_settled(release="a")
    lock, outside = device.data_folder() / "resin-updates.lock", device.data_folder() / "outside"
    outside.write_text("stays")
    lock.symlink_to(outside)
    for _ in range(2):
        assert device.prepare().returncode == 0
        device.restart()
        device.wait_settled(release="a")
        assert lock.is_symlink() and device.api("POST", "/v1/restart", {"appId": target.APP}).status == 423
    boot(device, prepare_first=True)
    assert not lock.is_symlink() and outside.read_text() == "stays"
    device.start(prepare=False)
    device.wait_settled(release="a", deadline=40)
    assert device.api("POST", "/v1/restart", {"appId": target.APP}, timeout=60).status == 200


def test_an_engine_that_was_there_before_prepare_is_put_right(mortal: Engine, mortal_device: Supervisor) -> None:
    device = mortal_device
    device.start()
    device.wait_settled(release="a")
    boot(device, prepare_first=False)
    # Without its lock directory the app cannot start: better that than a directory of root's.
    wait_until(lambda: mortal.container(target.APP)["State"]["Status"] == "exited", 20, "the engine cannot start the app")
    assert not device.lock_folder().exists()
    done = device.prepare()
    assert done.returncode == 0, done.stderr
    device.start(prepare=False)
    check_locking(device)


def test_directories_of_root_are_put_right(mortal: Engine, mortal_device: Supervisor) -> None:
    """An older supervisor, or an operator, may have had root make them."""
    device = mortal_device
    device.start()
    device.wait_settled(release="a")
    boot(device, prepare_first=False)
    device.stop()
    mortal.stop()
    device.lock_folder().mkdir(parents=True)
    done = device.prepare()
    assert done.returncode == 0, done.stderr
    mortal.start()
    device.start(prepare=False)
    check_locking(device)


def test_prepare_needs_no_engine_and_no_target(mortal: Engine, mortal_device: Supervisor) -> None:
    device = mortal_device
    device.target_file.unlink()
    done = device.prepare()
    assert done.returncode == 0, done.stderr
