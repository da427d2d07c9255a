"""Updates from a registry, slow and failing ones included."""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

import pytest

from harness import target
from harness.engine import Engine
from harness.supervisor import Supervisor
from harness.waiting import wait_until

#: how many pairs the comparison with the engine's own client takes
PAIRS = int(os.environ.get("SUPERVISOR_TEST_PAIRS", "10"))


def watch(supervisor: Supervisor, until: Any, deadline: float) -> list[dict[str, Any]]:
    """GET /v1/device over and over until `until` says so; every different answer."""
    seen: list[dict[str, Any]] = []

    def look() -> bool:
        state = supervisor.device()
        if not seen or seen[-1] != state:
            seen.append(state)
        return until(state)

    wait_until(look, deadline, "the update is over")
    return seen


def test_an_app_comes_from_the_registry(supervisor: Supervisor, published) -> None:
    image = published("first", [1000])
    supervisor.write_target(target.app(image=image.reference))
    supervisor.start()
    container = supervisor.wait_settled(release="a", deadline=30)
    assert container["Config"]["Image"] == image.reference


@pytest.mark.parametrize("strategy", ["download-then-kill", "kill-then-download"])
def test_an_update_is_downloaded_told_and_applied(
    supervisor: Supervisor, proxy, published, strategy: str, measured
) -> None:
    labels = {"io.resin.update.strategy": strategy}
    old = published(f"old-{strategy}", [1000])
    new = published(f"new-{strategy}", [250_000, 350_000, 150_000, 50_000])
    engine = supervisor.engine
    supervisor.write_target(target.app(image=old.reference, labels=labels))
    supervisor.start()
    before = supervisor.wait_settled(release="a", deadline=30)

    proxy.bytes_per_second = 250_000
    since = time.time()
    supervisor.write_target(target.app(image=new.reference, release="b", labels=labels))
    seen = watch(
        supervisor,
        lambda state: state["commit"] == target.commit("b") and state["status"] == "Idle" and not state["update_pending"],
        60,
    )

    downloading = [state for state in seen if state["status"] == "Downloading"]
    progress = [state["download_progress"] for state in downloading if state["download_progress"] is not None]
    assert len(set(progress)) >= 5, f"progress: {progress}"
    assert progress == sorted(progress), f"progress never falls: {progress}"
    assert all(0 <= value <= 100 and isinstance(value, int) for value in progress)
    assert progress[-1] >= 90
    measured(f"progress of a slow download, {strategy}: {sorted(set(progress))}")
    assert seen[-1]["download_progress"] is None
    assert all(state["update_pending"] and not state["update_downloaded"] for state in downloading)
    assert not any(state["update_failed"] for state in seen)
    assert (seen[-1]["update_pending"], seen[-1]["update_downloaded"]) == (False, False)
    first_b = next(index for index, state in enumerate(seen) if state["commit"] == target.commit("b"))
    assert all(state["commit"] in (target.commit("a"), None, "") for state in seen[:first_b]), "the commit is what runs"

    after = engine.running(target.APP)
    assert after["Id"] != before["Id"]
    assert after["Config"]["Image"] == new.reference
    wait_until(lambda: engine.image(old.reference) is None, 10, "the old image is gone")
    assert engine.image("demo:1"), "an image that was not pulled by the supervisor stays"
    deaths = [e for e in engine.events(since, time.time(), target.APP) if e["Action"] == "die"]
    assert len(deaths) == 1
    last_byte_late = deaths[0]["time"] - since
    assert (last_byte_late > 2) == (strategy == "download-then-kill"), "when the old container was stopped"


@pytest.mark.alone
def test_progress_is_shown_while_it_downloads_and_the_app_runs_on(running: Supervisor, proxy, published) -> None:
    before = running.engine.running(target.APP)["Id"]
    new = published("slow", [400_000])
    proxy.bytes_per_second = 100_000
    running.write_target(target.app(image=new.reference, release="b"))
    wait_until(lambda: (running.device()["download_progress"] or 0) > 10, 20, "progress")
    state = running.device()
    assert (state["status"], state["commit"]) == ("Downloading", target.commit("a"))
    assert running.engine.running(target.APP)["Id"] == before
    for path in ("/ping", f"/v1/apps/{target.APP}"):
        begin = time.monotonic()
        assert running.api("GET", path).status == 200
        assert time.monotonic() - begin < 0.2, f"{path} waits for the download"
    restarted = running.api("POST", "/v1/restart", {"appId": target.APP})
    assert restarted.status == 200, "a download blocks nobody"
    proxy.bytes_per_second = None
    running.wait_settled(release="b", deadline=30)


def test_a_download_that_is_no_longer_wanted_is_given_up(running: Supervisor, proxy, published) -> None:
    new, other = published("unwanted", [3_000_000]), published("wanted", [1000])
    proxy.bytes_per_second = 50_000
    running.write_target(target.app(image=new.reference, release="b"))
    wait_until(lambda: running.device()["status"] == "Downloading", 20, "it downloads")
    running.write_target(target.app(image=other.reference, release="c"))
    time.sleep(0.1)
    proxy.bytes_per_second = 200_000
    running.wait_settled(release="c", deadline=20)
    assert running.engine.image(new.reference) is None


@pytest.mark.parametrize(
    ("failure", "heals"),
    [
        ("401", True),
        ("404", True),
        ("429", True),
        ("500 for the manifest", True),
        ("500 for blobs", True),
        ("cut", True),
        ("corrupt", True),
    ],
)
def test_a_download_that_fails_is_told_and_tried_again(
    running: Supervisor, proxy, published, failure: str, heals: bool
) -> None:
    before = running.engine.running(target.APP)["Id"]
    image = published("fails-" + failure.replace(" ", "-"), [60_000])
    match failure:
        case "401" | "404" | "429":
            proxy.fail("/manifests/", int(failure))
        case "500 for the manifest":
            proxy.fail("/manifests/", 500)
        case "500 for blobs":
            proxy.fail("GET .*/blobs/", 500)
        case "cut":
            proxy.cut(after=20_000, times=1)
        case "corrupt":
            proxy.corrupt = True
    running.write_target(target.app(image=image.reference, release="b"))
    if failure != "cut":  # the engine itself mends that one
        wait_until(lambda: running.device()["update_failed"], 30, "the failure is told")
        state = running.device()
        assert (state["update_pending"], state["update_downloaded"]) == (True, False)
        assert running.engine.running(target.APP)["Id"] == before, "the old release runs on"
        assert running.healthy()[0], "trouble in the network makes no device unhealthy"
        proxy.reset()
        running.update()
    running.wait_settled(release="b", deadline=60)
    assert running.device()["update_failed"] is False


def test_failures_are_retried_without_being_asked_and_less_and_less_often(running: Supervisor, proxy, published) -> None:
    image = published("retry", [1000])
    proxy.fail("/manifests/", 500)
    running.write_target(target.app(image=image.reference, release="b"))
    wait_until(lambda: running.device()["update_failed"], 20, "the failure is told")
    asked = len([path for _, path in proxy.requests if "/manifests/" in path])
    wait_until(lambda: len([path for _, path in proxy.requests if "/manifests/" in path]) > asked, 20, "a second attempt")
    time.sleep(4)
    attempts = len([path for _, path in proxy.requests if "/manifests/" in path])
    assert attempts < 60, f"{attempts} requests in some seconds are no back-off"
    proxy.reset()
    running.wait_settled(release="b", deadline=40)


def test_an_update_request_does_not_wait_for_the_back_off(running: Supervisor, proxy, published) -> None:
    image = published("eager", [1000])
    proxy.fail("/manifests/", 500)
    running.write_target(target.app(image=image.reference, release="b"))
    status = lambda: running.control_json("/control/status")["update"]  # noqa: E731
    wait_until(lambda: (status()["nextAttemptSec"] or 0) >= 4, 60, "a long back-off")
    proxy.reset()
    begin = time.monotonic()
    running.update()
    running.wait_settled(release="b", deadline=10)
    assert time.monotonic() - begin < 3.5


def test_an_image_that_the_engine_has_is_not_pulled(supervisor: Supervisor, proxy) -> None:
    supervisor.write_target(target.app(image="demo:1"))
    supervisor.start()
    supervisor.wait_settled(release="a")
    supervisor.write_target(target.app(image="demo:2", release="b"))
    container = supervisor.wait_settled(release="b")
    assert supervisor.engine.shell(container["Id"], "echo $IMAGE_NUMBER") == "2"
    assert proxy.requests == []


def test_the_target_is_read_again_when_the_file_changes(running: Supervisor) -> None:
    running.write_target(target.app(environment={"NEW": "1"}))
    wait_until(lambda: "NEW=1" in running.engine.running(target.APP)["Config"]["Env"], 10, "the change is applied")
    running.wait_settled(release="a")


def test_a_change_that_is_none_recreates_nothing(running: Supervisor) -> None:
    before = running.engine.running(target.APP)
    running.write_target(target.app())
    running.update()
    running.wait_settled(release="a")
    running.restart()
    running.wait_settled(release="a")
    after = running.engine.running(target.APP)
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])


def test_an_app_that_is_no_longer_wanted_is_removed(running: Supervisor) -> None:
    running.write_target()
    wait_until(lambda: running.engine.containers() == [], 15, "no container is left")
    assert running.api("GET", f"/v1/apps/{target.APP}").status == 404


def test_an_app_that_should_not_run_does_not(running: Supervisor) -> None:
    before = running.engine.running(target.APP)["Id"]
    running.write_target(target.app(running=False))
    wait_until(lambda: not running.engine.container(target.APP)["State"]["Running"], 15, "the app is stopped")
    running.write_target(target.app(running=True))
    assert running.wait_settled(release="a")["Id"] == before


def test_a_container_that_somebody_removed_comes_back(running: Supervisor) -> None:
    before = running.engine.running(target.APP)["Id"]
    running.engine.remove(before)
    after = running.wait_settled(release="a")
    assert after["Id"] != before


def test_a_second_container_of_a_service_is_removed(running: Supervisor) -> None:
    first = running.engine.running(target.APP)
    labels = {**first["Config"]["Labels"], "io.supervisor.config": "older"}
    body = {"Image": "demo:1", "Labels": labels, "HostConfig": {"NetworkMode": "host"}}
    made = running.engine.ask("POST", "/containers/create", body, {"name": f"main_{target.APP}_older"})
    running.engine.ask("POST", f"/containers/{made['Id']}/start")
    running.update()
    wait_until(lambda: len(running.engine.containers(target.APP)) == 1, 15, "one container is left")
    assert running.engine.running(target.APP)["Id"] == first["Id"]


def test_containers_of_others_are_left_alone(running: Supervisor) -> None:
    made = running.engine.docker("run", "-d", "--name", "foreign", "demo:1")
    assert made.returncode == 0, made.stderr
    running.update()
    running.restart()
    running.wait_settled(release="a")
    assert running.engine.inspect("foreign")["State"]["Running"]


def test_an_app_that_ends_at_once_is_shown_as_such(supervisor: Supervisor) -> None:
    supervisor.write_target(target.app(command=["/bin/sh", "-c", "exit 3"]))
    supervisor.start()

    def shown() -> bool:
        service = supervisor.control_json("/control/status")["apps"][0]["services"][0]
        return service["crashLooping"] is True and service["exitCode"] in (3, None)

    wait_until(shown, 60, "the crash loop is shown")
    supervisor.write_target(target.app(release="b"))
    supervisor.wait_settled(release="b")


def test_an_app_that_cannot_be_started_is_a_failed_update(supervisor: Supervisor) -> None:
    supervisor.write_target(target.app(command=["/no/such/program"]))
    supervisor.start()
    wait_until(lambda: supervisor.device()["update_failed"], 20, "the failure is told")
    assert len(supervisor.engine.containers(target.APP)) <= 1
    supervisor.write_target(target.app(release="b"))
    supervisor.wait_settled(release="b")


def test_several_apps_run_side_by_side(supervisor: Supervisor) -> None:
    supervisor.write_target(target.app(), target.app(target.OTHER, image="demo:2", name="other"))
    supervisor.start()
    supervisor.wait_settled(release="a")
    one, two = supervisor.wait_settled(target.APP), supervisor.wait_settled(target.OTHER)
    assert one["Id"] != two["Id"]
    assert supervisor.api("POST", "/v1/restart", {"appId": target.OTHER}).status == 200
    assert supervisor.engine.running(target.APP)["Id"] == one["Id"]


# ---- downtime


def downtime(engine: Engine, since: float) -> float:
    """Milliseconds from the end of the one container of the app to the start of the next."""
    events = engine.events(since, time.time() + 1, target.APP)
    died = [event["timeNano"] for event in events if event["Action"] == "die"]
    started = [event["timeNano"] for event in events if event["Action"] == "start"]
    assert len(died) == 1 and len(started) == 1, [event["Action"] for event in events]
    return (started[0] - died[0]) / 1e6


def test_an_update_keeps_the_app_down_hardly_longer_than_the_engines_own_client(running: Supervisor, measured) -> None:
    engine, folder = running.engine, running.data_folder(4711)
    folder.mkdir()
    ours: list[float] = []
    theirs: list[float] = []

    def run(name: str) -> None:
        made = engine.docker(
            "run", "-d", "--name", "peer", "--network=host", "--restart=always", "-v", f"{folder}:/data",
            "-v", f"{folder}:/tmp/balena", "-v", f"{folder}:/tmp/resin", name,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr

    for number in range(PAIRS):
        image = f"demo:{number % 2 + 1}"
        since = time.time()
        running.write_target(target.app(image=image, release="ab"[number % 2] if number else "c"))
        running.wait_settled(release="ab"[number % 2] if number else "c")
        ours.append(downtime(engine, since))

        run(image)
        died_at = time.time()
        assert engine.docker("stop", "peer").returncode == 0
        assert engine.docker("rm", "peer").returncode == 0
        run(f"demo:{(number + 1) % 2 + 1}")
        filters = engine.ask("GET", "/containers/peer/json")
        events = [
            (event["Action"], event["timeNano"])
            for event in engine.events(died_at, time.time() + 1)
            if event["Actor"]["Attributes"].get("name") == "peer"
        ]
        assert filters["State"]["Running"]
        died = next(when for action, when in events if action == "die")
        theirs.append((next(when for action, when in events if action == "start") - died) / 1e6)
        engine.remove("peer")

    mine, peer = statistics.median(ours), statistics.median(theirs)
    measured(
        f"downtime, median of {PAIRS} pairs: ours {mine:.0f} ms ({min(ours):.0f} to {max(ours):.0f}), "
        f"docker stop, rm, run {peer:.0f} ms ({min(theirs):.0f} to {max(theirs):.0f})"
    )
    print("ours  ", [round(value) for value in ours])
    print("theirs", [round(value) for value in theirs])
    assert mine <= 1.2 * peer + 50
