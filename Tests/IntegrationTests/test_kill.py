"""kill -9 at random moments of updates, restarts and purges: a new supervisor always makes it good.

SUPERVISOR_TEST_KILLS is how often (default 50), SUPERVISOR_TEST_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time

import pytest

from harness import target
from harness.seed import SEED
from harness.supervisor import Supervisor
from harness.waiting import wait_until
from harness.wire import Connection, request

KILLS = int(os.environ.get("SUPERVISOR_TEST_KILLS", "50"))
FILES = 60


def fill(supervisor: Supervisor) -> None:
    """Data of an app: so many files, in folders of root's and of the supervisor's own user, some private."""
    folder = supervisor.data_folder()
    for number in range(FILES):
        (folder / f"file-{number:03}").write_text(str(number))


def data(supervisor: Supervisor) -> list[str]:
    return sorted(entry.name for entry in supervisor.data_folder().iterdir())


def files_seen_by_the_app(supervisor: Supervisor, release: str) -> str:
    return supervisor.engine.shell(supervisor.settled(release=release)["Id"], "ls /data | wc -l")


def begin(supervisor: Supervisor, operation: str, release: str) -> None:
    """Starts an operation and does not wait for it."""
    if operation == "update":
        image = f"demo:{'ab'.index(release) + 1}"
        supervisor.write_target(target.app(image=image, release=release, stop_grace_period="2s"))
        return
    body = json.dumps({"appId": target.APP}).encode()
    connection = Connection(supervisor.address)
    connection.send(request("POST", f"/v1/{operation}?apikey={supervisor.key}", [], body))
    # The connection stays open until the supervisor dies with it.
    threading.Timer(3, connection.socket.close).start()


def locks_left(supervisor: Supervisor) -> list[str]:
    places = [supervisor.lock_folder() / name for name in ("updates.lock", "resin-updates.lock")]
    places.append(supervisor.data_folder() / "resin-updates.lock")
    return [str(place) for place in places if os.path.lexists(place)]


def test_a_supervisor_that_is_killed_at_any_moment_is_made_good_by_the_next(supervisor: Supervisor, measured) -> None:
    print(f"seed {SEED}: SUPERVISOR_TEST_SEED={SEED} SUPERVISOR_TEST_KILLS={KILLS} repeats this")
    chance = random.Random(SEED)
    release = "a"
    supervisor.write_target(target.app(release=release, stop_grace_period="2s"))
    supervisor.start()
    supervisor.wait_settled(release=release)
    whole = [f"file-{number:03}" for number in range(FILES)]
    purged = interrupted = 0
    for round_number in range(KILLS):
        fill(supervisor)
        operation = chance.choice(["update", "restart", "purge"])
        if operation == "update":
            release = "b" if release == "a" else "a"
        moment = chance.uniform(0, 0.35)
        what = f"round {round_number}, seed {SEED}: {operation} killed after {moment * 1000:.0f} ms"
        print(what)
        begin(supervisor, operation, release)
        time.sleep(moment)
        supervisor.kill()
        # What stands half done: the supervisor's own lock, or an app that does not run.
        states = [container["State"] for container in supervisor.engine.containers(target.APP)]
        interrupted += bool(locks_left(supervisor)) or states != ["running"]
        try:
            supervisor.start()
            supervisor.wait_settled(release=release, deadline=20)
            assert len(supervisor.engine.ask("GET", "/containers/json", None, {"all": 1})) == 1
            # A stop that the killed one has asked for may come only now.
            count = wait_until(lambda: files_seen_by_the_app(supervisor, release), 20, "the app can be asked")
            assert count in (str(FILES), "0")
            left = data(supervisor)
            assert left in (whole, []), f"half of the data is there: {left}"
            assert left == whole or operation == "purge", "data is lost without a purge"
            purged += left == []
            wait_until(lambda: locks_left(supervisor) == [], 3, "no lock of ours is left")
            assert supervisor.held_locks() == []
            status = supervisor.control_json("/control/status")
            assert status["health"]["healthy"], status["health"]
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from None
    measured(f"kill -9: seed {SEED}, {KILLS} kills, {interrupted} of them in the middle, {purged} purges had taken effect")
    assert interrupted >= KILLS // 10, "the moments miss the operations"


def test_a_stop_that_a_killed_supervisor_has_begun_is_made_good(supervisor: Supervisor) -> None:
    """The engine goes on with the stop while the next supervisor starts.

    docker tells of the end of a process some milliseconds before its own list does: a supervisor that asks for the list
    in between and subscribes to events too late would take the container for a running one, for ever.
    """
    chance = random.Random(SEED)
    supervisor.write_target(target.app())
    supervisor.start()
    supervisor.wait_settled(release="a")
    for round_number in range(KILLS):
        begin(supervisor, "restart", "a")
        moment = chance.uniform(0.005, 0.06)
        time.sleep(moment)
        supervisor.kill()
        supervisor.start()
        try:
            supervisor.wait_settled(release="a", deadline=8)
        except AssertionError as error:
            raise AssertionError(f"round {round_number}, seed {SEED}, {moment * 1000:.0f} ms: {error}") from None


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.05, 0.1, 0.3])
def test_a_supervisor_that_is_killed_while_it_starts_is_made_good_by_the_next(
    supervisor: Supervisor, moment: float
) -> None:
    supervisor.write_target(target.app())
    supervisor.prepare()
    for _ in range(4):
        supervisor.spawn()
        time.sleep(moment)
        supervisor.kill()
    supervisor.start()
    supervisor.wait_settled(release="a")
    key, uuid = supervisor.key, supervisor.control_json("/control/status")["device"]["uuid"]
    supervisor.kill()
    supervisor.start()
    assert (supervisor.key, supervisor.control_json("/control/status")["device"]["uuid"]) == (key, uuid)


def test_a_kill_while_the_key_changes_leaves_exactly_one_key_in_force(supervisor: Supervisor) -> None:
    supervisor.write_target()
    supervisor.start()
    chance = random.Random(SEED)
    for _ in range(10):
        old = supervisor.key
        with Connection(supervisor.address) as connection:
            connection.send(request("POST", f"/v1/regenerate-api-key?apikey={old}"))
            time.sleep(chance.uniform(0, 0.01))
            supervisor.kill()
            connection.socket.settimeout(1)
            try:
                answer = connection.receive("POST").text
            except (OSError, AssertionError, ConnectionError):
                answer = None
        supervisor.start()
        new = supervisor.key
        assert len(new) == 64
        assert answer in (None, new), "the key that was answered is the one that counts"
        assert supervisor.api("GET", "/ping", key=new).status == 200
        if new != old:
            assert supervisor.api("GET", "/ping", key=old).status == 401
