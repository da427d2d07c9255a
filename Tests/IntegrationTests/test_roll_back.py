"""A release that turns out bad gives way to the last good one, where the label asks for it."""

from __future__ import annotations

import time
from typing import Any, Callable

import pytest

from harness import servers, target
from harness.engine import SERVICE_LABEL
from harness.ports import free_port
from harness.supervisor import Supervisor
from harness.waiting import stays, wait_until

LABEL = "io.supervisor.healthy-after"
COMMIT_LABEL = "io.supervisor.commit"
SERVICE = target.SERVICE
#: seconds that a release has to stay up
PERIOD = 4


def app(release: str, period: int | None = PERIOD, **options: Any) -> dict[str, Any]:
    labels = {**({LABEL: str(period)} if period else {}), **options.pop("labels", {})}
    return target.app(release=release, labels=labels, stop_grace_period="2s", **options)


#: Releases that turn out bad: members of the service, and what update_error says of each.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "exits at once": ({"command": ["/bin/sh", "-c", "exit 3"]}, "3"),
    "exits after a while": ({"command": ["/bin/sh", "-c", "sleep 2; exit 7"]}, "7"),
    "ends well after a while": ({"command": ["/bin/sh", "-c", "sleep 2"]}, "0"),
    "cannot be started": ({"command": ["/no/such/program"]}, "/no/such/program"),
    "hangs": ({"environment": {"ON_CHECK": "sleep 600"}}, "health"),
    "fails its check": ({"environment": {"ON_CHECK": "false"}}, "health"),
    "fails its check after a while": (
        {"environment": {"ON_START": ": > /tmp/well; (sleep 2; rm /tmp/well) &", "ON_CHECK": "test -e /tmp/well"}},
        "health",
    ),
}
bad_releases = pytest.mark.parametrize("kind", list(BAD), ids=lambda kind: kind.replace(" ", "-"))


def period(kind: str) -> int:
    """Long enough for a check to fail twice, each after its time-out."""
    return 10 if BAD[kind][1] == "health" else PERIOD


@pytest.fixture
def good(checked: str, new_supervisor: Callable[..., Supervisor], engine: Any) -> Supervisor:
    """A device that runs a good release, `a`, and looks for updates every second."""
    supervisor = new_supervisor(engine, settings={"Applications": {"PollIntervalSec": "1"}})
    supervisor.write_target(app("a", image=checked))
    supervisor.start()
    supervisor.wait_settled(release="a")
    proven(supervisor, "a")
    return supervisor


def proven(supervisor: Supervisor, release: str, after: float = PERIOD) -> None:
    """Waits until a release counts as good: it has been up for its period, and the supervisor has seen it."""
    container = supervisor.settled(release=release)
    time.sleep(after + 1)
    assert supervisor.settled(release=release)["Id"] == container["Id"]
    assert supervisor.wait_settled(release=release)["Id"] == container["Id"]


def made(supervisor: Supervisor, since: float, release: str) -> int:
    """How many containers of a release were made."""
    events = supervisor.engine.events(since, time.time() + 1, target.APP)
    return sum(
        event["Action"] == "create" and event["Actor"]["Attributes"].get(COMMIT_LABEL) == target.commit(release)
        for event in events
    )


def rolled_back(supervisor: Supervisor, to: str, bad: str, why: str, deadline: float = 40) -> dict[str, Any]:
    """Waits until `to` runs again and the update counts as failed; what is said names service, commit and reason."""

    def is_back() -> dict[str, Any]:
        supervisor.assert_alive()
        container = supervisor.settled(release=to)
        state = supervisor.device()
        assert state["update_failed"] is True, state
        assert state["status"] == "Idle", state
        error = state["update_error"]
        assert SERVICE in error and bad * 7 in error and why in error, error
        return container

    try:
        return wait_until(is_back, deadline, f"{to} runs again, since {bad} is bad")
    except AssertionError as error:
        raise AssertionError(f"{error}\n--- log:\n{supervisor.log[-4000:]}") from None


@bad_releases
def test_a_bad_release_gives_way_and_is_not_tried_again(good: Supervisor, checked: str, kind: str) -> None:
    members, why = BAD[kind]
    # What keeps a container from starting may be the engine's doing, so that it gets a second one.
    containers = 2 if kind == "cannot be started" else 1
    since = time.time()
    good.write_target(app("b", period(kind), image=checked, **members))
    wait_until(lambda: made(good, since, "b") == containers, 20, "the bad release is tried")
    container = rolled_back(good, "a", "b", why)
    # Several polls, a request and a new supervisor later.
    stays(lambda: good.settled(release="a")["Id"] == container["Id"], 3, "the good release stays")
    good.update()
    time.sleep(1)
    good.restart()
    rolled_back(good, "a", "b", why, deadline=15)
    stays(lambda: good.settled(release="a")["Id"] == container["Id"], 3, "the good release stays")
    assert made(good, since, "b") == containers, "it is not tried again"
    assert good.settled(release="a")["State"]["StartedAt"] == container["State"]["StartedAt"]
    assert good.healthy()[0], "the device is well"
    status = good.app_status()
    assert status["commit"] == target.commit("a")
    assert status["targetCommit"] == target.commit("b")
    # Another target is another chance.
    good.write_target(app("c", image=checked))
    good.wait_settled(release="c")
    wait_until(lambda: good.device()["update_failed"] is False, 10, "it is no failure any more")


def test_a_good_release_stays_and_is_what_the_next_gives_way_to(good: Supervisor, checked: str) -> None:
    since = time.time()
    good.write_target(app("b", image=checked))
    container = good.wait_settled(release="b")
    proven(good, "b")
    assert good.settled(release="b")["Id"] == container["Id"]
    assert good.device()["update_failed"] is False
    good.write_target(app("c", image=checked, **BAD["exits at once"][0]))
    rolled_back(good, "b", "c", "3")
    assert (made(good, since, "b"), made(good, since, "c"), made(good, since, "a")) == (2, 1, 0)


def test_a_release_that_was_not_up_long_enough_is_not_what_is_gone_back_to(good: Supervisor, checked: str) -> None:
    good.write_target(app("b", 60, image=checked))
    good.wait_settled(release="b", deadline=20)
    good.write_target(app("c", image=checked, **BAD["exits at once"][0]))
    rolled_back(good, "a", "c", "3")


def test_without_the_label_nothing_of_the_kind_happens(good: Supervisor, checked: str) -> None:
    since = time.time()
    good.write_target(app("b", None, image=checked, command=["/bin/sh", "-c", "exit 3"]))

    def loops() -> bool:
        service = good.app_status()["services"][0]
        return bool(service["crashLooping"]) and service["exitCode"] in (3, None)

    wait_until(loops, 60, "the crash loop is shown")
    assert made(good, since, "a") == 0
    assert good.engine.container(target.APP)["Config"]["Labels"][COMMIT_LABEL] == target.commit("b")


def test_a_check_that_fails_is_nobodys_business_without_the_label(good: Supervisor, checked: str) -> None:
    since = time.time()
    good.write_target(app("b", None, image=checked, environment={"ON_CHECK": "false"}))
    good.wait_settled(release="b")
    wait_until(lambda: good.engine.running(target.APP)["State"]["Health"]["Status"] == "unhealthy", 20, "unhealthy")
    stays(lambda: good.settled(release="b"), 3, "it stays")
    assert made(good, since, "a") == 0


def test_a_check_that_fails_after_the_period_changes_nothing(good: Supervisor, checked: str) -> None:
    script = f": > /tmp/well; (sleep {PERIOD + 3}; rm /tmp/well) &"
    environment = {"ON_START": script, "ON_CHECK": "test -e /tmp/well"}
    since = time.time()
    good.write_target(app("b", image=checked, environment=environment))
    container = good.wait_settled(release="b")
    wait_until(lambda: good.engine.running(target.APP)["State"]["Health"]["Status"] == "unhealthy", 30, "unhealthy")
    stays(lambda: good.settled(release="b")["Id"] == container["Id"], 3, "it stays")
    assert made(good, since, "a") == 0


def test_the_first_release_has_nothing_to_give_way_to(
    checked: str, new_supervisor: Callable[..., Supervisor], engine: Any
) -> None:
    """The engine goes on starting it, it is shown as one that keeps dying, and a better one is taken."""
    supervisor = new_supervisor(engine, settings={"Applications": {"PollIntervalSec": "1"}})
    since = time.time()
    supervisor.write_target(app("a", image=checked, command=["/bin/sh", "-c", "exit 3"]))
    supervisor.start()
    wait_until(lambda: made(supervisor, since, "a") == 1, 20, "it is tried")
    supervisor.logged(f"The release {target.commit('a')} fails, and there is none to roll back to", 20)
    wait_until(lambda: supervisor.app_status()["services"][0]["crashLooping"], 60, "the crash loop is shown")
    assert made(supervisor, since, "a") == 1, "it is not made over and over"
    supervisor.write_target(app("b", image=checked))
    supervisor.wait_settled(release="b")


def test_a_supervisor_that_dies_in_the_period_is_followed_by_one_that_knows(good: Supervisor, checked: str) -> None:
    since = time.time()
    good.write_target(app("b", 8, image=checked, command=["/bin/sh", "-c", "sleep 3; exit 7"]))
    wait_until(lambda: made(good, since, "b") == 1, 20, "the release is tried")
    wait_until(lambda: good.settled(release="b"), 10, "it runs")
    good.kill()
    time.sleep(4)
    good.start()
    rolled_back(good, "a", "b", "7")
    assert made(good, since, "b") == 1


def test_a_supervisor_that_dies_in_the_period_forgets_no_good_release(good: Supervisor, checked: str) -> None:
    since = time.time()
    good.write_target(app("b", image=checked))
    container = wait_until(lambda: good.settled(release="b"), 20, "the release runs")
    good.kill()
    good.start()
    good.wait_settled(release="b")
    proven(good, "b")
    assert good.settled(release="b")["Id"] == container["Id"]
    good.write_target(app("c", image=checked, **BAD["exits at once"][0]))
    rolled_back(good, "b", "c", "3")
    assert made(good, since, "a") == 0


def test_the_image_of_the_last_good_release_is_kept_and_the_others_are_not(
    engine: Any, new_supervisor: Callable[..., Supervisor], proxy: Any, published: Any
) -> None:
    supervisor = new_supervisor(engine, settings={"Applications": {"PollIntervalSec": "1"}})
    first, bad, next_one = published("rb-a", [1000]), published("rb-b", [1000]), published("rb-c", [1000])
    supervisor.write_target(app("a", image=first.reference))
    supervisor.start()
    supervisor.wait_settled(release="a", deadline=30)
    proven(supervisor, "a")
    proxy.requests.clear()
    since = time.time()
    supervisor.write_target(app("b", image=bad.reference, command=["/bin/sh", "-c", "sleep 2; exit 7"]))
    wait_until(lambda: made(supervisor, since, "b") == 1, 20, "the release is tried")
    assert engine.image(first.reference), "the way back is there"
    rolled_back(supervisor, "a", "b", "7")
    assert not [path for _, path in proxy.requests if "rb-a" in path], "nothing is downloaded to go back"
    supervisor.write_target(app("c", image=next_one.reference))
    supervisor.wait_settled(release="c", deadline=30)
    proven(supervisor, "c")
    wait_until(lambda: not engine.image(first.reference) and not engine.image(bad.reference), 20, "both are gone")
    assert engine.image(next_one.reference)


@pytest.mark.parametrize("kind", ["exits at once", "fails its check", "hangs"], ids=lambda kind: kind.replace(" ", "-"))
def test_with_a_hand_over_the_old_one_never_stops(
    checked: str, new_supervisor: Callable[..., Supervisor], engine: Any, kind: str
) -> None:
    """It is stopped when the new one has proved itself, and not before."""
    supervisor = new_supervisor(engine, settings={"Applications": {"PollIntervalSec": "1"}})
    binds, port = servers.install(supervisor.root / "srv"), free_port()
    hand_over = {"io.balena.update.strategy": "hand-over", "io.balena.update.handover-timeout": "60000"}

    def write(release: str, **members: Any) -> None:
        web = servers.web(binds, port, release, **members.pop("environment", {}))
        service = {**web, **members, "labels": hand_over, "image": checked}
        supervisor.write_target(app(release, period(kind), **service))

    write("a")
    supervisor.start()
    old = supervisor.wait_settled(release="a")
    time.sleep(period(kind) + 1)
    since = time.time()
    members, why = BAD[kind]
    with servers.Visitor(port) as visitor:
        write("b", **members)
        wait_until(lambda: made(supervisor, since, "b") == 1, 20, "the release is tried")
        container = rolled_back(supervisor, "a", "b", why)
        assert made(supervisor, since, "b") == 1
        write("c")
        supervisor.wait_settled(release="c", deadline=40)
        wait_until(lambda: visitor.last == "c", 10, "the new one answers")
    assert (container["Id"], container["State"]["StartedAt"]) == (old["Id"], old["State"]["StartedAt"])
    assert visitor.failures == []
    assert len(engine.ask("GET", "/containers/json", None, {"all": 1})) == 1


def test_of_several_services_the_good_ones_are_let_be(
    bridged: Any, checked: str, new_supervisor: Callable[..., Supervisor]
) -> None:
    """The one that is bad goes back; the one that nobody changed is not touched at all."""
    supervisor = new_supervisor(bridged, settings={"Applications": {"PollIntervalSec": "1"}})

    def write(release: str, **changes: dict[str, Any]) -> None:
        services = {
            name: {"image": checked, "labels": {LABEL: str(PERIOD)}, "stop_grace_period": "2s", **changes.get(name, {})}
            for name in ("one", "two", "three")
        }
        supervisor.write_target(target.several(target.APP, services, release))

    names = {"one", "two", "three"}
    write("a")
    supervisor.start()
    before = supervisor.wait_services(names, release="a")
    time.sleep(PERIOD + 1)
    since = time.time()
    write("b", two={"command": ["/bin/sh", "-c", "sleep 1; exit 5"]})

    def creates(service: str) -> int:
        events = bridged.events(since, time.time() + 1, target.APP)
        return sum(e["Action"] == "create" and e["Actor"]["Attributes"][SERVICE_LABEL] == service for e in events)

    def is_back() -> bool:
        found = bridged.services(target.APP)
        assert all(each["State"]["Running"] for each in found.values())
        state = supervisor.device()
        assert state["update_failed"] and state["status"] == "Idle", state
        assert "two" in state["update_error"] and "5" in state["update_error"], state
        return creates("two") == 2

    wait_until(is_back, 40, "the bad service is back at what it was")
    after = bridged.services(target.APP)
    for name in ("one", "three"):
        assert (after[name]["Id"], after[name]["State"]["StartedAt"]) == (
            before[name]["Id"],
            before[name]["State"]["StartedAt"],
        )
    stays(lambda: creates("two") == 2 and creates("one") == 0, 4, "and stays there")
    write("c", two={"environment": {"FIXED": "1"}})
    wait_until(lambda: "FIXED=1" in bridged.services(target.APP)["two"]["Config"]["Env"], 20, "a better one is taken")
    supervisor.wait_services(names, release="c")
    assert creates("one") == creates("three") == 0
