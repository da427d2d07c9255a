"""Updates whose service never stops answering, and the one that makes room on the disk first."""

from __future__ import annotations

import itertools
import random
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness import servers, target
from harness.engine import Engine, nanoseconds
from harness.ports import free_port
from harness.seed import SEED
from harness.supervisor import Supervisor
from harness.waiting import stays, wait_until

STRATEGY = "io.balena.update.strategy"
TIMEOUT = "io.balena.update.handover-timeout"
SERVICE = target.SERVICE


class Site:
    """A device with one web service that hands over."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.engine = supervisor.engine
        self.port = free_port()
        self.binds = servers.install(supervisor.root / "srv")

    def release(self, release: str, labels: dict[str, str] | None = None, **environment: Any) -> None:
        """Writes a target with one release, which answers with its letter."""
        service = servers.web(self.binds, self.port, release, **environment)
        labels = {STRATEGY: "hand-over", **(labels or {})}
        self.supervisor.write_target(target.app(release=release, labels=labels, stop_grace_period="3s", **service))

    def start(self, release: str = "a", **options: Any) -> dict[str, Any]:
        self.release(release, **options)
        self.supervisor.start()
        container = self.supervisor.wait_settled(release=release)
        self.serving(container)
        # Else what it says late counts as its successor's word.
        wait_until(self.complete.exists, 10, "the first release says that it serves")
        return container

    def containers(self) -> list[dict[str, Any]]:
        """Those that run, the oldest first."""
        return [each for each in self.engine.of_service(target.APP, SERVICE) if each["State"]["Running"]]

    def two(self, deadline: float = 20) -> tuple[dict[str, Any], dict[str, Any]]:
        """Waits until the old container and the new one run, and returns both."""
        old, new = wait_until(lambda: len(self.containers()) == 2 and self.containers(), deadline, "both run")
        return old, new

    def serving(self, container: dict[str, Any]) -> None:
        wait_until(lambda: "serves" in self.engine.logs(container["Id"]), 20, "the service serves")

    @property
    def lock(self) -> Path:
        return self.supervisor.lock_folder() / "updates.lock"

    @property
    def complete(self) -> Path:
        return self.supervisor.lock_folder() / "handover-complete"

    def assert_clean(self, release: str) -> dict[str, Any]:
        """One container, of this release, and nothing of a hand-over left; returns the container."""
        container = self.supervisor.wait_settled(release=release, deadline=30)
        total = self.engine.ask("GET", "/containers/json", None, {"all": 1})
        assert [each["Id"] for each in total] == [container["Id"]], [each["Names"] for each in total]
        return container


@pytest.fixture(autouse=True)
def listeners_take_over() -> None:
    """As docs/apps.md says: who waits in the queue of a listener that closes goes to the other one."""
    Path("/proc/sys/net/ipv4/tcp_migrate_req").write_text("1")


@pytest.fixture
def site(supervisor: Supervisor) -> Site:
    return Site(supervisor)


def ended(engine: Engine, since: float, container: dict[str, Any]) -> float | None:
    """When a container was told to end, or ended."""
    for event in engine.events(since, time.time() + 1, target.APP):
        if event["Action"] in ("kill", "die") and event["Actor"]["ID"] == container["Id"]:
            return event["timeNano"] / 1e9
    return None


# ---- without a gap


def test_a_hand_over_has_no_gap(site: Site, measured: Callable[[str], None]) -> None:
    old = site.start("a")
    with servers.Visitor(site.port) as visitor:
        site.release("b", BEGIN_AFTER=0.3, COMPLETE_AFTER=0.5)
        _, new = site.two()
        assert site.containers()[0]["Id"] == old["Id"], "the old one runs on meanwhile"
        site.assert_clean("b")
        wait_until(lambda: visitor.last == "b", 5, "the new one answers")
        time.sleep(0.3)
    assert visitor.failures == []
    assert visitor.versions[0] == "a" and visitor.versions[-1] == "b"
    assert visitor.longest_pause < 0.5, "it was asked all the time"
    assert site.engine.running(target.APP)["Id"] == new["Id"]
    measured(
        f"hand-over: {len(visitor.answers)} questions 10 ms apart, {len(visitor.failures)} without an answer, "
        f"longest pause {visitor.longest_pause * 1000:.0f} ms"
    )


def test_one_hand_over_after_another_has_no_gap(site: Site) -> None:
    """What the one before has left in the lock directory says nothing about the next."""
    site.start("a")
    with servers.Visitor(site.port) as visitor:
        for release in "bcdef":
            since = time.time()
            site.release(release, BEGIN_AFTER=0.2, COMPLETE_AFTER=0.4)
            old, new = site.two()
            site.assert_clean(release)
            stopped = ended(site.engine, since, old)
            began = next(
                event["timeNano"] / 1e9
                for event in site.engine.events(since, time.time() + 1, target.APP)
                if event["Action"] == "start" and event["Actor"]["ID"] == new["Id"]
            )
            assert stopped and stopped - began >= 0.5, "the old one waits for the new one's word"
            wait_until(lambda: visitor.last == release, 5, "the new one answers")
    assert visitor.failures == []
    assert visitor.versions[0] == "a" and visitor.versions[-1] == "f"


def test_others_of_the_app_see_no_gap_under_its_name(bridged: Engine, supervisor: Supervisor) -> None:
    """On a network of the app's own: both containers have the service's name, and then one."""
    binds = servers.install(supervisor.root / "srv")

    def write(version: str) -> None:
        web = servers.web(binds, 8080, version, ADDRESS="0.0.0.0", BEGIN_AFTER=0.3, COMPLETE_AFTER=3)
        web["labels"] = {STRATEGY: "hand-over"}
        web["stop_grace_period"] = "3s"
        client = {
            "command": ["/usr/bin/python3", "-u", "/srv/asker.py"],
            "volumes": binds,
            "environment": {"NAME": "web", "PORT": "8080"},
            "depends_on": ["web"],
        }
        supervisor.write_target(target.several(target.APP, {"web": web, "client": client}, version))

    write("a")
    supervisor.start()
    before = supervisor.wait_services({"web", "client"}, release="a")
    answers = supervisor.data_folder() / "answers"
    wait_until(lambda: answers.exists() and "a" in answers.read_text().split(), 20, "the client is answered")
    begun = len(answers.read_text().splitlines())
    write("b")
    two = wait_until(lambda: len(found := bridged.of_service(target.APP, "web")) == 2 and found, 20, "both run")
    for container in two:
        network = container["NetworkSettings"]["Networks"][f"{target.APP}_default"]
        assert "web" in network["Aliases"], "both have the service's name"
    wait_until(lambda: len(bridged.of_service(target.APP, "web")) == 1, 20, "one runs")
    after = supervisor.wait_services({"web", "client"}, release="b")
    assert after["web"]["Id"] != before["web"]["Id"]
    assert after["client"]["Id"] == before["client"]["Id"]
    wait_until(lambda: answers.read_text().splitlines()[-1] == "b", 10, "the new one answers")
    got = answers.read_text().splitlines()[begun:]
    runs = [(answer, len(list(same))) for answer, same in itertools.groupby(got)]
    print(f"answers in a row: {runs}")
    assert set(got) <= {"a", "b"}, runs
    # How often depends on the engine's name server, which may take half a second when the machine is busy.
    assert len(got) >= 5 and got[0] == "a" and got[-1] == "b"


# ---- when the old one goes


@pytest.mark.parametrize("file", ["handover-complete", "resin-kill-me"])
@pytest.mark.parametrize("folder", ["/tmp/balena", "/tmp/resin"])
def test_the_old_one_goes_when_the_new_one_says_so(site: Site, file: str, folder: str) -> None:
    site.start("a")
    site.release("b", COMPLETE_AFTER="never")
    old, new = site.two()
    stays(lambda: len(site.containers()) == 2, 2, "both run until then")
    assert site.supervisor.device()["update_failed"] is False
    since = time.time()
    site.engine.shell(new["Id"], f": > {folder}/{file}")
    assert site.assert_clean("b")["Id"] == new["Id"]
    stopped = ended(site.engine, since, old)
    assert stopped and stopped - since < 3


def nano(container: dict[str, Any]) -> float:
    return nanoseconds(container["State"]["StartedAt"]) / 1e9


@pytest.mark.parametrize("label", [TIMEOUT, TIMEOUT.replace("balena", "resin")])
def test_the_old_one_goes_at_the_time_out_at_the_latest(site: Site, label: str) -> None:
    site.start("a")
    since = time.time()
    site.release("b", labels={label: "2500"}, COMPLETE_AFTER="never")
    old, new = site.two()
    assert site.assert_clean("b")["Id"] == new["Id"]
    stopped = ended(site.engine, since, old)
    assert stopped
    waited = stopped - nano(new)
    assert 2.2 <= waited < 5, f"it went after {waited:.1f} s"


def test_a_service_that_says_nothing_is_waited_for(site: Site) -> None:
    """The time-out is a minute where no label gives another."""
    site.start("a")
    site.release("b", COMPLETE_AFTER="never")
    site.two()
    stays(lambda: len(site.containers()) == 2, 6, "both run")
    assert site.supervisor.healthy()[0]
    site.complete.touch()
    site.assert_clean("b")


def test_what_is_left_of_the_hand_over_before_does_not_count(site: Site) -> None:
    site.start("a")
    wait_until(site.complete.exists, 10, "the first release says that it serves")
    site.release("b", COMPLETE_AFTER="never")
    site.two()
    stays(lambda: len(site.containers()) == 2, 2, "the old word is not the new one's")
    site.complete.touch()
    site.assert_clean("b")


# ---- the lock


def test_the_lock_of_the_new_one_stays_its_own(site: Site) -> None:
    old = site.start("a")
    site.release("b", LOCK=1, COMPLETE_AFTER=0.5)
    _, new = site.two()
    site.serving(new)
    wait_until(lambda: "lock" in site.engine.logs(new["Id"]), 5, "it has tried")
    assert "lock taken" in site.engine.logs(new["Id"])
    inode = site.lock.stat().st_ino
    wait_until(lambda: [each["Id"] for each in site.containers()] == [new["Id"]], 20, "the old one is gone")
    site.assert_clean("b")
    assert site.lock.stat().st_ino == inode, "the very same file"
    assert old["Id"] != new["Id"]
    refused = site.supervisor.api("POST", "/v1/restart", {"appId": target.APP})
    assert refused.status == 423
    site.release("c")
    wait_until(lambda: site.supervisor.device()["update_failed"], 20, "the next update is refused")
    assert [each["Id"] for each in site.containers()] == [new["Id"]]
    site.supervisor.restart()
    wait_until(lambda: site.supervisor.device()["update_failed"], 20, "also by the next supervisor")
    assert site.lock.stat().st_ino == inode
    site.lock.unlink()
    site.assert_clean("c")


def test_the_lock_of_the_old_one_is_honoured_before_anything_begins(site: Site) -> None:
    old = site.start("a", LOCK=1)
    wait_until(site.lock.exists, 10, "the old one has its lock")
    site.release("b")
    wait_until(lambda: site.supervisor.device()["update_failed"], 20, "the update is refused")
    stays(lambda: [each["Id"] for each in site.containers()] == [old["Id"]], 2, "no second container")
    site.lock.unlink()
    site.assert_clean("b")


def test_no_lock_of_the_supervisor_is_left_after_a_hand_over(site: Site) -> None:
    site.start("a")
    site.release("b")
    new = site.assert_clean("b")
    names = ("updates.lock", "resin-updates.lock")
    assert not [name for name in names if (site.supervisor.lock_folder() / name).exists()]
    assert site.supervisor.held_locks() == []
    assert site.engine.shell(new["Id"], ": > /tmp/balena/updates.lock; ls /tmp/resin") .endswith("updates.lock")
    wait_until(site.lock.exists, 2, "the container's directory is the one that counts")


# ---- what goes wrong in between


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_supervisor_that_ends_in_the_middle_is_followed_by_one_that_goes_on(site: Site, how: str) -> None:
    site.start("a")
    with servers.Visitor(site.port) as visitor:
        site.release("b", COMPLETE_AFTER="never")
        old, new = site.two()
        site.serving(new)
        site.supervisor.kill() if how == "killed" else site.supervisor.stop()
        assert len(site.containers()) == 2, "both run on without a supervisor"
        site.supervisor.start()
        stays(lambda: len(site.containers()) == 2, 3, "it waits on")
        assert {each["Id"] for each in site.containers()} == {old["Id"], new["Id"]}
        site.complete.touch()
        assert site.assert_clean("b")["Id"] == new["Id"]
        wait_until(lambda: visitor.last == "b", 5, "the new one answers")
    assert visitor.failures == []


def test_what_the_new_one_says_while_no_supervisor_runs_is_heard(site: Site) -> None:
    site.start("a")
    site.release("b", COMPLETE_AFTER="never")
    _, new = site.two()
    site.supervisor.kill()
    site.complete.touch()
    site.supervisor.start()
    assert site.assert_clean("b")["Id"] == new["Id"]


def test_the_time_out_holds_across_supervisors(site: Site) -> None:
    site.start("a")
    site.release("b", labels={TIMEOUT: "3000"}, COMPLETE_AFTER="never")
    _, new = site.two()
    site.supervisor.kill()
    site.supervisor.start()
    assert site.assert_clean("b")["Id"] == new["Id"]


def test_a_supervisor_that_is_killed_at_any_moment_of_a_hand_over_leaves_no_gap(site: Site, measured: Any) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    site.start("a")
    middle = 0
    with servers.Visitor(site.port) as visitor:
        for number, release in enumerate("bcdefghij"):
            moment = chance.uniform(0, 1.6)
            site.release(release, BEGIN_AFTER=0.2, COMPLETE_AFTER=0.3)
            time.sleep(moment)
            site.supervisor.kill()
            middle += len(site.engine.containers(target.APP)) != 1
            site.supervisor.start()
            try:
                site.assert_clean(release)
            except AssertionError as error:
                raise AssertionError(f"round {number}, seed {SEED}, {moment * 1000:.0f} ms: {error}") from None
            wait_until(lambda: visitor.last == release, 5, "the new one answers")
    assert visitor.failures == []
    measured(f"kill -9 in a hand-over: seed {SEED}, 9 kills, {middle} with two containers, no question without an answer")


def test_a_new_one_that_dies_leaves_the_old_one_running(site: Site) -> None:
    """Until the time-out the old one serves on, and a better release is handed over to."""
    old = site.start("a")
    with servers.Visitor(site.port) as visitor:
        site.release("b", COMPLETE_AFTER="never", DIE_AFTER=0.2)

        def died() -> bool:
            others = [c for c in site.engine.of_service(target.APP, SERVICE) if c["Id"] != old["Id"]]
            return any(each["RestartCount"] >= 1 or not each["State"]["Running"] for each in others)

        wait_until(died, 20, "the new one dies")
        stays(lambda: site.engine.inspect(old["Id"])["State"]["Running"], 5, "the old one runs")
        site.release("c", COMPLETE_AFTER=0.3)
        site.assert_clean("c")
        wait_until(lambda: visitor.last == "c", 5, "the new one answers")
    assert visitor.failures == []


def test_a_target_that_changes_in_the_middle_is_handed_over_to(site: Site) -> None:
    old = site.start("a")
    with servers.Visitor(site.port) as visitor:
        site.release("b", COMPLETE_AFTER="never")
        site.two()
        site.release("c", COMPLETE_AFTER=0.3)
        site.assert_clean("c")
        wait_until(lambda: visitor.last == "c", 5, "the new one answers")
    assert visitor.failures == []
    assert old["Id"] not in {each["Id"] for each in site.containers()}


def test_a_target_that_goes_back_in_the_middle_keeps_the_old_one(site: Site) -> None:
    old = site.start("a")
    with servers.Visitor(site.port) as visitor:
        site.release("b", COMPLETE_AFTER="never")
        site.two()
        site.release("a")
        container = site.assert_clean("a")
    assert visitor.failures == []
    assert container["Id"] == old["Id"]
    assert container["State"]["StartedAt"] == old["State"]["StartedAt"]


def test_the_api_answers_and_tells_while_a_hand_over_waits(site: Site) -> None:
    site.start("a")
    site.release("b", COMPLETE_AFTER="never")
    site.two()
    begin = time.monotonic()
    state = site.supervisor.device()
    assert time.monotonic() - begin < 1
    assert state["update_pending"] and not state["update_failed"], state
    assert site.supervisor.healthy()[0]
    answer = site.supervisor.api("GET", f"/v1/apps/{target.APP}")
    assert answer.status == 200, answer
    site.complete.touch()
    site.assert_clean("b")


def test_the_old_image_goes_after_the_hand_over(site: Site, proxy: Any, published: Any) -> None:
    old, new = published("old", [1000]), published("new", [1000])

    def write(release: str, image: str) -> None:
        service = servers.web(site.binds, site.port, release)
        site.supervisor.write_target(
            target.app(image=image, release=release, labels={STRATEGY: "hand-over"}, **service)
        )

    write("a", old.reference)
    site.supervisor.start()
    site.supervisor.wait_settled(release="a", deadline=30)
    write("b", new.reference)
    assert site.assert_clean("b")["Config"]["Image"] == new.reference
    wait_until(lambda: site.engine.image(old.reference) is None, 10, "the old image is gone")


# ---- delete-then-download


class Watched(list):  # type: ignore[type-arg]
    """The requests to a registry; calls `look` for each."""

    def __init__(self, look: Callable[[str], None]) -> None:
        super().__init__()
        self.look = look

    def append(self, item: tuple[str, str]) -> None:
        super().append(item)
        self.look(item[1])


@pytest.fixture
def watched(proxy: Any) -> Iterator[Callable[[Callable[[str], None]], None]]:
    def watch(look: Callable[[str], None]) -> None:
        proxy.requests = Watched(look)

    yield watch
    proxy.requests = []


def test_delete_then_download_makes_room_first(
    supervisor: Supervisor, proxy: Any, published: Any, watched: Any
) -> None:
    labels = {STRATEGY: "delete-then-download"}
    old, new = published("room-old", [400_000]), published("room-new", [400_000])
    engine = supervisor.engine
    supervisor.write_target(target.app(image=old.reference, labels=labels))
    supervisor.start()
    supervisor.wait_settled(release="a", deadline=30)
    there: list[bool] = []
    watched(lambda path: there.append(engine.image(old.reference) is not None) if "room-new" in path else None)
    supervisor.write_target(target.app(image=new.reference, release="b", labels=labels))
    container = supervisor.wait_settled(release="b", deadline=40)
    assert container["Config"]["Image"] == new.reference
    assert there and there == [False] * len(there), "the old image was there when the new one was asked for"


def test_delete_then_download_honours_the_lock(supervisor: Supervisor, proxy: Any, published: Any) -> None:
    labels = {STRATEGY: "delete-then-download"}
    old, new = published("locked-old", [1000]), published("locked-new", [1000])
    supervisor.write_target(target.app(image=old.reference, labels=labels))
    supervisor.start()
    before = supervisor.wait_settled(release="a", deadline=30)
    (supervisor.lock_folder() / "updates.lock").touch()
    proxy.requests.clear()
    supervisor.write_target(target.app(image=new.reference, release="b", labels=labels))
    wait_until(lambda: supervisor.device()["update_failed"], 20, "the update is refused")
    stays(lambda: supervisor.engine.running(target.APP)["Id"] == before["Id"], 2, "the old one runs")
    assert supervisor.engine.image(old.reference) and not proxy.requests
    (supervisor.lock_folder() / "updates.lock").unlink()
    supervisor.wait_settled(release="b", deadline=30)


def test_delete_then_download_goes_on_when_it_is_cut_short(
    supervisor: Supervisor, proxy: Any, published: Any
) -> None:
    labels = {STRATEGY: "delete-then-download"}
    old, new = published("cut-old", [1000]), published("cut-new", [1000])
    supervisor.write_target(target.app(image=old.reference, labels=labels))
    supervisor.start()
    supervisor.wait_settled(release="a", deadline=30)
    proxy.fail("cut-new", 500)
    supervisor.write_target(target.app(image=new.reference, release="b", labels=labels))
    wait_until(lambda: supervisor.engine.image(old.reference) is None, 20, "the old image is gone")
    wait_until(lambda: supervisor.device()["update_failed"], 20, "the failure is told")
    supervisor.kill()
    proxy.reset()
    supervisor.start()
    supervisor.wait_settled(release="b", deadline=40)


def test_delete_then_download_leaves_an_image_that_others_use(
    supervisor: Supervisor, proxy: Any, published: Any
) -> None:
    labels = {STRATEGY: "delete-then-download"}
    old, new = published("shared-old", [1000]), published("shared-new", [1000])
    other = target.app(target.OTHER, image=old.reference, name="other")
    supervisor.write_target(target.app(image=old.reference, labels=labels), other)
    supervisor.start()
    supervisor.wait_settled(release="a", deadline=30)
    before = supervisor.wait_settled(target.OTHER)
    supervisor.write_target(target.app(image=new.reference, release="b", labels=labels), other)
    supervisor.wait_settled(release="b", deadline=40)
    assert supervisor.wait_settled(target.OTHER)["Id"] == before["Id"]
    assert supervisor.engine.image(old.reference)
