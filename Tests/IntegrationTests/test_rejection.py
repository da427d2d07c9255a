"""A target of which one app is wrong: the others are updated all the same, and the status says what is wrong."""

from __future__ import annotations

import json
from typing import Any

from harness import images, target
from harness.engine import Engine
from harness.supervisor import Supervisor
from harness.waiting import stays, wait_until

PLACE = f"apps.{target.OTHER}.services.{target.OTHER % 1000}.restart: sometimes"


def other(release: str = "a", **members: Any) -> dict[str, Any]:
    return target.app(target.OTHER, release=release, stop_grace_period="1s", **members)


def main(release: str = "a") -> dict[str, Any]:
    return target.app(release=release, stop_grace_period="1s")


def start_two(supervisor: Supervisor) -> str:
    """Starts two apps, and returns the container of the other one."""
    supervisor.write_target(main(), other())
    supervisor.start()
    supervisor.wait_settled(release="a")
    return supervisor.wait_settled(target.OTHER, release="a")["Id"]


def assert_says_it(supervisor: Supervisor) -> None:
    state = supervisor.device()
    assert state["update_failed"] is True and PLACE in state["update_error"], state
    done = supervisor.ctl("update", "--wait")
    assert done.returncode == 1 and PLACE in done.stderr, (done.returncode, done.stderr)


def test_a_wrong_app_keeps_what_it_has_and_stops_no_other(supervisor: Supervisor) -> None:
    before = start_two(supervisor)
    supervisor.write_target(main("b"), other("b", restart="sometimes"))
    supervisor.update()
    supervisor.wait_settled(release="b")
    assert supervisor.engine.running(target.OTHER)["Id"] == before
    assert_says_it(supervisor)
    for again in (supervisor.restart, lambda: (supervisor.kill(), supervisor.start())):
        again()
        supervisor.wait_settled(release="b")
        wait_until(lambda: supervisor.device()["update_failed"] or None, 10, "the error is reported again")
        assert supervisor.engine.running(target.OTHER)["Id"] == before
    assert_says_it(supervisor)
    # Its own last good target is in effect: what somebody removes is made again, while the file is wrong.
    supervisor.engine.remove(before)
    supervisor.wait_settled(target.OTHER, release="a")
    assert supervisor.prepare().returncode == 0
    supervisor.write_target(main("b"), other("b"))
    supervisor.wait_settled(target.OTHER, release="b")
    wait_until(lambda: supervisor.device()["update_failed"] is False or None, 10, "all is well")
    assert supervisor.ctl("update", "--wait").returncode == 0


def test_a_wrong_app_that_never_ran_is_named(supervisor: Supervisor) -> None:
    supervisor.write_target(main(), other(restart="sometimes"))
    supervisor.start()
    supervisor.wait_settled(release="a")
    assert_says_it(supervisor)
    assert not supervisor.engine.containers(target.OTHER)


def test_beside_a_wrong_app_another_one_is_removed(supervisor: Supervisor) -> None:
    before = start_two(supervisor)
    supervisor.write_target(other("b", restart="sometimes"))
    wait_until(lambda: not supervisor.engine.containers(target.APP), 20, "the other one is removed")
    assert supervisor.engine.running(target.OTHER)["Id"] == before


def test_an_id_that_cannot_be_read_removes_no_app(supervisor: Supervisor) -> None:
    before = start_two(supervisor)
    state = target.state(main("b"))
    state["apps"][f"{target.OTHER}x"] = other("b")[str(target.OTHER)]
    supervisor.write_target_text(json.dumps(state))
    supervisor.wait_settled(release="b")
    stays(lambda: supervisor.engine.running(target.OTHER)["Id"] == before, 0.5, "it runs on")
    assert f"apps.{target.OTHER}x" in supervisor.device()["update_error"]


def test_a_file_that_does_not_parse_is_a_failed_update(supervisor: Supervisor) -> None:
    before = start_two(supervisor)
    supervisor.write_target_text("{")
    done = supervisor.ctl("update", "--wait")
    assert done.returncode == 1 and "line 1" in done.stderr
    assert supervisor.device()["update_failed"] is True
    assert supervisor.engine.running(target.OTHER)["Id"] == before


def test_labels_of_ours_are_refused_in_a_target(supervisor: Supervisor) -> None:
    before = start_two(supervisor)
    supervisor.write_target(main("b"), other("b", labels={"io.supervisor.multi-service": "true"}))
    supervisor.wait_settled(release="b")
    assert supervisor.engine.running(target.OTHER)["Id"] == before
    place = f"apps.{target.OTHER}.services.{target.OTHER % 1000}.labels.io.supervisor.multi-service"
    assert place in supervisor.device()["update_error"]


def test_labels_of_ours_that_an_image_has_are_overridden(supervisor: Supervisor, engine: Engine) -> None:
    labels = ["multi-service=true", "trial=1", 'variables=["A"]', "service-name=../../victim", "app-id=5", "config=x"]
    changes = images.changes(*(f"LABEL io.supervisor.{label}" for label in labels))
    engine.import_image(images.base_layer(), "claims:1", changes)
    supervisor.write_target(target.app(image="claims:1", stop_grace_period="1s"))
    supervisor.start()
    before = supervisor.wait_settled(release="a")
    assert before["Config"]["Labels"]["io.supervisor.multi-service"] == "false"
    assert before["Config"]["Labels"]["io.supervisor.trial"] == ""
    assert supervisor.api("POST", "/v1/restart", {"appId": target.APP}).status == 200
    after = supervisor.wait_settled(release="a")
    assert after["Id"] != before["Id"]
    generation = {"io.supervisor.generation": "2"}
    assert after["Config"]["Labels"] == {**before["Config"]["Labels"], **generation}
    supervisor.write_target(target.app(release="b", image="claims:1", stop_grace_period="1s"))
    supervisor.wait_settled(release="b")
    assert len(engine.containers()) == 1, "nothing is made twice, nothing is left"
