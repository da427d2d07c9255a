"""One app fills its lock directory: it is named, `force` works, and no other app is in its way."""

from __future__ import annotations

from typing import Iterator

import pytest

from harness import target
from harness.plugins import OPERATIONS, Plugins, executable
from harness.processes import must
from harness.supervisor import Supervisor
from harness.waiting import wait_until

OTHER = target.APP + 1

FILL = {
    "data": "cat /dev/zero > /tmp/balena/big 2>/dev/null; true",
    "files": "i=0; while true > /tmp/balena/f$i; do i=$((i+1)); done 2>/dev/null; true",
    "directories": "i=0; while mkdir -m 700 /tmp/balena/d$i 2>/dev/null; do i=$((i+1)); done; true",
}


@pytest.fixture(params=["own space", "shared"])
def two(supervisor: Supervisor, request: pytest.FixtureRequest) -> Iterator[Supervisor]:
    """Two apps; with the storage plugin, which mounts as root, and without."""
    plugins = Plugins(supervisor)
    if request.param == "own space":
        socket = plugins.root / "storage.sock"
        plugins.activate(socket, [executable("storage")])
        settings = {"DataDirectory": str(supervisor.data), "LockDirectory": str(supervisor.locks)}
        plugins.manifest("storage", OPERATIONS["storage"], socket=socket, settings=settings)
    supervisor.write_target(target.app(), target.app(OTHER))
    supervisor.start()
    supervisor.wait_settled(release="a")
    yield supervisor
    supervisor.kill()
    supervisor.engine.remove_all()
    plugins.dispose()
    for app in (target.APP, OTHER):
        if (supervisor.locks / str(app)).is_mount():
            must(["umount", "-l", supervisor.locks / str(app)])


@pytest.mark.parametrize("what", FILL)
def test_an_app_that_fills_its_lock_directory_stops_only_itself(two: Supervisor, what: str) -> None:
    engine = two.engine
    full, other = (engine.running(app)["Id"] for app in (target.APP, OTHER))
    engine.shell(full, FILL[what], timeout=60)
    if (two.locks / str(OTHER)).is_mount():
        engine.shell(other, 'set -C; : > "$RESIN_APP_LOCK_PATH" && rm "$RESIN_APP_LOCK_PATH"')
    assert two.api("POST", "/v1/restart", {"appId": OTHER}, timeout=60).status == 200
    refused = two.api("POST", "/v1/restart", {"appId": target.APP}, timeout=60)
    assert refused.status == 423 and f"application {target.APP} has filled" in refused.text, refused
    assert [lock["appId"] for lock in two.held_locks()] == [target.APP]
    assert two.api("POST", "/v1/restart", {"appId": target.APP, "force": True}, timeout=60).status == 200
    wait_until(lambda: not two.held_locks(), 10, "there is room again")
    again = engine.running(target.APP)["Id"]
    engine.shell(again, 'set -C; : > "$RESIN_APP_LOCK_PATH" && rm "$RESIN_APP_LOCK_PATH"')


def test_the_spaces_are_found_again(two: Supervisor) -> None:
    mounts = [app for app in (target.APP, OTHER) if (two.locks / str(app)).is_mount()]
    two.restart()
    two.wait_settled(release="a")
    engine = two.engine
    engine.shell(engine.running(OTHER)["Id"], ': > "$RESIN_APP_LOCK_PATH"')
    assert [lock["appId"] for lock in two.held_locks()] == [OTHER]
    assert [app for app in (target.APP, OTHER) if (two.locks / str(app)).is_mount()] == mounts
