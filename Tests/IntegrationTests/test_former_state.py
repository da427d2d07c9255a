"""A device that an earlier version of the supervisor has run is taken over as it is.

`former/` holds what the version of commit 2b3fd2b wrote: its state directory, and the container that it made, as the engine
showed it. Its API listened on port 48999.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from harness import target
from harness.supervisor import Supervisor
from harness.waiting import wait_until

FORMER = Path(__file__).parent / "former"
PORT = 48999


def take_over(supervisor: Supervisor) -> str:
    """Puts the former state and container in place. Returns the container's id."""
    supervisor.port = PORT
    supervisor.write_config({"API": {"Port": str(PORT)}, "Device": {"DeviceType": "generic"}})
    for file in FORMER.iterdir():
        if file.name == "container.json":
            continue
        copy = supervisor.state / file.name
        shutil.copyfile(file, copy)
        copy.chmod(0o600)
        os.chown(copy, supervisor.state.stat().st_uid, supervisor.state.stat().st_gid)
    made = json.loads((FORMER / "container.json").read_text())
    prepared = supervisor.prepare()
    assert prepared.returncode == 0, prepared.stderr
    locks, data = supervisor.lock_folder(), supervisor.data_folder()
    binds = [f"{data}:/data", f"{locks}:/tmp/balena", f"{locks}:/tmp/resin"]
    host = {"NetworkMode": "host", "RestartPolicy": made["RestartPolicy"], "Binds": binds}
    body = {"Image": "demo:1", "Env": made["Env"], "Labels": made["Labels"], "HostConfig": host}
    container = supervisor.engine.ask("POST", "/containers/create", body, {"name": made["name"]})["Id"]
    supervisor.engine.ask("POST", f"/containers/{container}/start")
    return container


def test_nothing_is_recreated_and_nothing_is_lost(supervisor: Supervisor) -> None:
    container = take_over(supervisor)
    supervisor.start()
    supervisor.update()
    time.sleep(3)
    assert supervisor.settled(release="a")["Id"] == container, supervisor.log
    assert supervisor.key == (FORMER / "api-key").read_text().strip()
    status = supervisor.control_json("/control/status")
    assert status["device"]["uuid"] == json.loads((FORMER / "identity.json").read_text())["uuid"]
    assert "is good" not in supervisor.log, "it was good before"
    assert json.loads((supervisor.state / "flags.json").read_text())["tcpPing"] is False
    assert supervisor.api("GET", f"/v1/apps/{target.APP}").json["env"]["GREETING"] == "hello"


def test_the_last_good_target_holds_without_its_file(supervisor: Supervisor) -> None:
    container = take_over(supervisor)
    (supervisor.state / "apps.json").unlink()
    supervisor.start()
    supervisor.engine.docker("rm", "-f", container)
    wait_until(lambda: supervisor.settled(release="a")["Id"] != container, 20, "the app runs again")
    assert supervisor.api("POST", "/v1/restart", {"appId": target.APP}).status == 200


def test_a_bad_release_is_rolled_back_to_the_one_that_was_good_before(supervisor: Supervisor) -> None:
    container = take_over(supervisor)
    supervisor.start()
    supervisor.settled(release="a")
    document = json.loads((FORMER / "apps.json").read_text())
    app = document["apps"][str(target.APP)]
    app["commit"] = target.commit("b")
    app["services"]["1"]["command"] = ["/bin/sh", "-c", "exit 3"]
    supervisor.write_target_text(json.dumps(document))
    supervisor.logged("is rolled back to", 30)
    wait_until(lambda: supervisor.settled(release="a"), 20, "the good release runs")
    assert container
