"""Containers, images and definitions of every size: what can be created can be stopped, updated and removed."""

from __future__ import annotations

from typing import Any

import pytest

from harness import target
from harness.engine import Engine
from harness.supervisor import Supervisor
from harness.waiting import wait_until

#: Linux takes at most 128 KiB for one variable of a process.
LARGE = {f"V{number}": str(number) * 100_000 for number in range(6)}


#: Seconds: a debug build is slow with megabytes.
PATIENCE = 120


def app(release: str, **members: Any) -> dict[str, Any]:
    return target.app(release=release, stop_grace_period="1s", **members)


def test_an_app_with_a_large_environment_does_everything(supervisor: Supervisor) -> None:
    supervisor.write_target(app("a", environment=LARGE))
    supervisor.start()
    first = supervisor.wait_settled(release="a")
    assert f"V3={LARGE['V3']}" in first["Config"]["Env"]
    assert all(LARGE["V3"][:1000] not in value for value in first["Config"]["Labels"].values()), "stored twice"
    assert supervisor.api("POST", "/v1/restart", {"appId": target.APP}).status == 200
    second = supervisor.wait_settled(release="a")
    assert second["Id"] != first["Id"] and sorted(second["Config"]["Env"]) == sorted(first["Config"]["Env"])
    assert second["Config"]["Labels"]["io.supervisor.config"] == first["Config"]["Labels"]["io.supervisor.config"]
    assert supervisor.api("POST", f"/v1/apps/{target.APP}/stop").status == 200
    assert supervisor.api("POST", f"/v1/apps/{target.APP}/start").status == 200
    assert supervisor.api("POST", "/v1/purge", {"appId": target.APP}).status == 200
    third = supervisor.wait_settled(release="a")
    # The events still come.
    supervisor.engine.remove(third["Id"])
    supervisor.wait_settled(release="a")
    supervisor.write_target(app("b"))
    supervisor.wait_settled(release="b")
    assert "is away" not in supervisor.log


def test_a_lost_target_is_read_back_with_its_environment(supervisor: Supervisor) -> None:
    supervisor.write_target(app("a", environment={**LARGE, "N": 1.5, "SECRET": "hush"}))
    supervisor.start()
    before = supervisor.wait_settled(release="a")
    supervisor.stop()
    supervisor.target_file.unlink()
    for file in supervisor.state.glob("target.json*"):
        file.unlink()
    supervisor.engine.call("POST", f"/containers/{before['Id']}/stop", None, {"t": 1})
    supervisor.start()
    after = supervisor.wait_settled(release="a")
    assert after["Id"] == before["Id"]


@pytest.mark.parametrize("count", [3, 280])
def test_labels_of_an_image_break_nothing(supervisor: Supervisor, engine: Engine, count: int) -> None:
    big = "x" * (2_800_000 // count)
    name = f"big{count}:1"
    container = engine.ask(
        "POST", "/containers/create", {"Image": "demo:1", "Labels": {f"big{n}": big for n in range(count)}}
    )["Id"]
    repository, tag = name.split(":")
    engine.ask("POST", "/commit", {"Labels": {f"big{n}": big for n in range(count)}}, {
        "container": container, "repo": repository, "tag": tag,
    })
    engine.remove(container)
    supervisor.write_target(app("a", image=name), target.app(target.OTHER, stop_grace_period="1s"))
    supervisor.start()
    supervisor.wait_settled(release="a", deadline=PATIENCE)
    other = supervisor.wait_settled(target.OTHER, release="a", deadline=PATIENCE)
    assert supervisor.api("POST", "/v1/restart", {"appId": target.APP}, timeout=PATIENCE).status == 200
    assert supervisor.api("POST", f"/v1/apps/{target.APP}/stop", timeout=PATIENCE).status == 200
    assert supervisor.api("POST", f"/v1/apps/{target.APP}/start", timeout=PATIENCE).status == 200
    # The death of another one is still noticed by its event.
    engine.ask("POST", f"/containers/{other['Id']}/kill", None, {"signal": "KILL"})
    wait_until(lambda: supervisor.engine.running(target.OTHER), PATIENCE, "the other one runs again")
    supervisor.write_target(target.app(target.OTHER, stop_grace_period="1s"))
    wait_until(lambda: not engine.containers(target.APP), PATIENCE, "it is removed")
    assert "is away" not in supervisor.log


@pytest.mark.parametrize(
    ("members", "place", "bound"),
    [
        ({"environment": {"A": "x" * 131_072}}, "environment.A", "131071"),
        ({"command": ["x" * 131_072]}, "command", "131071"),
        ({"environment": {f"A{n}": "x" * 100_000 for n in range(11)}}, "services.1", "1048576"),
        ({"labels": {f"a{n}": "x" * 100_000 for n in range(11)}}, "services.1", "1048576"),
        ({"command": "a " * 1_000_000}, "services.1", "1048576"),
        ({"command": "\u0301" * 200_000}, "command", "131071"),
    ],
    ids=["variable", "word", "environment", "labels", "words", "marks"],
)
def test_what_is_too_large_is_refused_with_its_bound(
    running: Supervisor, members: dict[str, Any], place: str, bound: str
) -> None:
    before = running.settled(release="a")["Id"]
    running.write_target(app("b", **members))
    error = wait_until(lambda: running.device()["update_error"], 10, "the error is reported")
    assert f"apps.{target.APP}.services.1" in error and place in error and bound in error and len(error) < 1000, error
    assert running.settled(release="a")["Id"] == before
