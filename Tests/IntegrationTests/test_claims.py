"""Labels and names are claims: what others make with them is neither taken for ours nor taken away."""

from __future__ import annotations

import json
import time

from harness import target
from harness.engine import Engine
from harness.supervisor import Supervisor
from harness.waiting import wait_until


def test_a_container_of_a_committed_image_is_left_alone(running: Supervisor) -> None:
    engine = running.engine
    ours = running.settled(release="a")
    done = engine.docker("commit", ours["Id"], "copy:1")
    assert done.returncode == 0, done.stderr
    done = engine.docker("run", "-d", "--network", "none", "copy:1")
    assert done.returncode == 0, done.stderr
    copy = done.stdout.strip()
    try:
        assert engine.inspect(copy)["Config"]["Labels"]["io.supervisor.app-id"] == str(target.APP)
        before = len(running.log)
        running.update()
        time.sleep(3)
        for container in (ours["Id"], copy):
            assert engine.inspect(container)["State"]["Running"], running.log[before:]
        answer = running.api("POST", "/v1/restart", {"appId": target.APP})
        assert answer.status == 200, answer
        assert engine.inspect(copy)["State"]["Running"]
        status, _ = engine.call("GET", f"/containers/{ours['Id']}/json")
        assert status == 404, "ours was recreated"
        assert running.app_status()["services"][0]["containerId"] != copy
    finally:
        engine.docker("rm", "-f", copy)
        engine.docker("rmi", "-f", "copy:1")


def test_a_volume_that_was_restored_by_hand_is_used_with_its_data(supervisor: Supervisor) -> None:
    engine = supervisor.engine
    name = f"{target.APP}_store"
    assert engine.docker("volume", "create", name).returncode == 0
    done = engine.docker("run", "--rm", "--network", "none", "-v", f"{name}:/s", "demo:1", "/bin/sh", "-c", "echo kept > /s/file")
    assert done.returncode == 0, done.stderr
    service = {"main": {"volumes": ["store:/s"]}}
    supervisor.write_target(target.several(target.APP, service, volumes={"store": {}}))
    supervisor.start()
    found = supervisor.wait_services(["main"], release="a")
    assert engine.shell(found["main"]["Id"], "cat /s/file") == "kept"
    assert "Created the volume" not in supervisor.log
    assert [each["state"] for each in supervisor.control_json("/control/volumes")] == ["in use"]


def test_a_foreign_container_with_our_labels_and_a_hostile_service_touches_no_directory(running: Supervisor) -> None:
    engine = running.engine
    victim = running.lock_folder().parent.parent / "victim"
    victim.mkdir()
    (victim / "file").write_text("mine")
    before = victim.stat()
    labels = {"io.supervisor.app-id": str(target.APP), "io.supervisor.service-name": "../victim"}
    body = {"Image": "demo:1", "Labels": labels, "HostConfig": {"NetworkMode": "none"}}
    made = engine.ask("POST", "/containers/create", body, {"name": f"victim_{target.APP}_"})["Id"]
    engine.ask("POST", f"/containers/{made}/start")
    try:
        running.update()
        time.sleep(2)
        for path in ("/v1/restart", "/v1/purge"):
            assert running.api("POST", path, {"appId": target.APP}).status == 200
        assert (victim.stat().st_ino, victim.stat().st_mode) == (before.st_ino, before.st_mode)
        assert (victim / "file").read_text() == "mine"
        assert engine.inspect(made)["State"]["Running"]
    finally:
        engine.docker("rm", "-f", made)


def test_a_network_with_our_labels_under_another_name_stays(bridged: Engine, running: Supervisor) -> None:
    labels = {
        "io.supervisor.app-id": str(target.APP), "io.supervisor.network": "back", "io.supervisor.config": "x",
    }
    made = bridged.ask("POST", "/networks/create", {"Name": "by-hand", "Labels": labels})["Id"]
    try:
        running.update()
        wait_until(lambda: running.device()["status"] == "Idle", 5, "idle")
        time.sleep(2)
        assert bridged.ask("GET", f"/networks/{made}")["Name"] == "by-hand"
    finally:
        bridged.ask("DELETE", f"/networks/{made}")


def test_a_service_runs_although_somebody_has_taken_its_name(running: Supervisor) -> None:
    engine = running.engine
    ours = running.settled(release="a")
    name = ours["Name"].lstrip("/")
    running.stop()
    engine.docker("rm", "-f", ours["Id"])
    body = {"Image": "demo:1", "HostConfig": {"NetworkMode": "none"}}
    taken = engine.ask("POST", "/containers/create", body, {"name": name})["Id"]
    running.start()
    after = running.wait_settled(release="a")
    assert after["Name"] == f"/{name}_2"
    assert json.loads(engine.call("GET", f"/containers/{taken}/json")[1])["Name"] == f"/{name}"
    engine.docker("rm", "-f", taken)
