"""An update takes nothing away before its successor has been accepted: on a real engine, which refuses for real."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from harness import target
from harness.engine import Engine
from harness.seed import SEED
from harness.supervisor import Supervisor
from harness.waiting import wait_until

#: What a real engine refuses, and when.
REFUSED: dict[str, dict[str, Any]] = {
    # as the container is made
    "capability": {"cap_add": ["NET_ADMN"]},
    "missing bind": {"volumes": ["/media/usb/config:/config"]},
    "tmpfs option": {"tmpfs": ["/x:size=lots"]},
    # as it starts
    "device": {"devices": ["/dev/not-there:/dev/not-there"]},
    "command": {"command": ["/no/such/program"]},
    "user": {"user": "nobody-of-that-name"},
    "working directory": {"working_dir": "/bin/busybox/x"},
}


def failed(supervisor: Supervisor) -> dict[str, Any]:
    state = supervisor.device()
    assert state["update_failed"], state
    return state


@pytest.mark.parametrize("healthy_after", [False, True], ids=["plain", "healthy-after"])
@pytest.mark.parametrize("what", REFUSED)
def test_a_release_that_the_engine_refuses_leaves_the_former_one_running(
    supervisor: Supervisor, what: str, healthy_after: bool
) -> None:
    labels = {"io.supervisor.healthy-after": "1"} if healthy_after else {}
    supervisor.write_target(target.app(labels=labels, stop_grace_period="1s"))
    supervisor.start()
    before = supervisor.wait_settled(release="a")
    if healthy_after:
        supervisor.logged("is good", 15)
    supervisor.write_target(target.app(release="b", labels=labels, stop_grace_period="1s", **REFUSED[what]))
    wait_until(lambda: failed(supervisor), 20, "the update has failed")
    after = wait_until(lambda: supervisor.settled(release="a"), 20, "the former release runs")
    assert after["Id"] == before["Id"], "it is the very same container"
    assert failed(supervisor)["update_error"]
    supervisor.write_target(target.app(release="c", labels=labels, stop_grace_period="1s"))
    supervisor.wait_settled(release="c")
    assert len(supervisor.engine.ask("GET", "/containers/json", None, {"all": 1})) == 1, "nothing is left over"


def two(release: str, network: dict[str, Any]) -> dict[str, Any]:
    services = {name: {"networks": ["back"], "stop_grace_period": "1s"} for name in ("a", "b")}
    return target.several(target.APP, services, release=release, networks={"back": network})


def subnet(text: str, **more: Any) -> dict[str, Any]:
    return {"ipam": {"config": [{"subnet": text, **more}]}}


def ids(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: each["Id"] for name, each in found.items()}


@pytest.mark.parametrize(
    "network",
    [subnet("10.217.9.0/24"), {"driver_opts": {"com.docker.network.driver.mtu": "many"}}],
    ids=["overlaps", "option"],
)
def test_a_network_that_the_engine_refuses_leaves_everything_running(
    bridged: Engine, supervisor: Supervisor, network: dict[str, Any]
) -> None:
    supervisor.write_target(two("a", subnet("10.217.8.0/24")))
    supervisor.start()
    before = supervisor.wait_services(["a", "b"], release="a")
    networks = {name: each["Id"] for name, each in bridged.networks(target.APP).items()}
    other = bridged.ask(
        "POST", "/networks/create", {"Name": "lan", "IPAM": {"Config": [{"Subnet": "10.217.9.0/24"}]}}
    )["Id"]
    try:
        supervisor.write_target(two("b", network))
        state = wait_until(lambda: failed(supervisor), 20, "the update has failed")
        assert "back" in state["update_error"], state
        assert ids(supervisor.engine.services(target.APP)) == ids(before)
        assert all(each["State"]["Running"] for each in supervisor.engine.services(target.APP).values())
        assert {name: each["Id"] for name, each in bridged.networks(target.APP).items()} == networks
    finally:
        bridged.ask("DELETE", f"/networks/{other}")
    if "ipam" in network:
        supervisor.update()
        supervisor.wait_services(["a", "b"], release="b", deadline=60)
        assert bridged.networks(target.APP)[f"{target.APP}_back"]["IPAM"]["Config"][0]["Subnet"] == "10.217.9.0/24"


def test_a_network_changes_with_its_containers(bridged: Engine, supervisor: Supervisor) -> None:
    supervisor.write_target(two("a", subnet("10.217.8.0/24")))
    supervisor.start()
    before = supervisor.wait_services(["a", "b"], release="a")
    supervisor.write_target(two("b", subnet("10.217.8.0/25", gateway="10.217.8.77")))
    after = supervisor.wait_services(["a", "b"], release="b", deadline=60)
    assert not set(ids(before).values()) & set(ids(after).values())
    address = f"RESIN_SUPERVISOR_ADDRESS=http://10.217.8.77:{supervisor.port}"
    assert address in after["a"]["Config"]["Env"], "the new gateway"
    assert set(bridged.networks(target.APP)) == {f"{target.APP}_back"}


def test_a_renamed_service_waits_for_the_lock_of_its_neighbour(supervisor: Supervisor) -> None:
    def services(*names: str) -> dict[str, dict[str, Any]]:
        return {name: {"stop_grace_period": "1s"} for name in names}

    supervisor.write_target(target.several(target.APP, services("a", "b")))
    supervisor.start()
    before = supervisor.wait_services(["a", "b"], release="a")
    lock = supervisor.lock_folder(service="a") / "updates.lock"
    supervisor.engine.shell(before["a"]["Id"], "touch /tmp/balena/updates.lock")
    supervisor.write_target(target.several(target.APP, services("a", "b2"), release="b"))
    supervisor.logged("locked", 15)
    time.sleep(1)
    assert ids(supervisor.engine.services(target.APP)) == ids(before), "nothing has changed"
    since = time.time()
    lock.unlink()
    supervisor.wait_services(["a", "b2"], release="b")
    events = supervisor.engine.events(since, time.time(), target.APP)
    order = [(each["Action"], each["Actor"]["Attributes"]["io.supervisor.service-name"]) for each in events]
    assert order.index(("die", "b")) < order.index(("start", "b2")), order


def test_kills_during_updates_that_are_refused_end_with_the_last_good_release(
    bridged: Engine, supervisor: Supervisor, measured
) -> None:
    """SUPERVISOR_TEST_KILLS is how often (default 50), SUPERVISOR_TEST_SEED repeats a run."""
    import os

    kills = int(os.environ.get("SUPERVISOR_TEST_KILLS", "50"))
    print(f"seed {SEED}: SUPERVISOR_TEST_SEED={SEED} repeats this")
    chance = random.Random(SEED)
    network = subnet("10.217.8.0/24")

    def state(letter: str, network: dict[str, Any], **members: Any) -> dict[str, Any]:
        service = {"networks": ["back"], "stop_grace_period": "1s", "labels": {}, **members}
        return target.several(target.APP, {"main": service}, release=letter, networks={"back": network})

    bridged.ask("POST", "/networks/create", {"Name": "lan", "IPAM": {"Config": [{"Subnet": "10.217.9.0/24"}]}})
    supervisor.write_target(state("a", network))
    supervisor.start()
    supervisor.wait_services(["main"], release="a")
    interrupted = 0
    for number in range(kills):
        kind = chance.choice(["create", "network", "start"])
        members = {"create": {"cap_add": ["NET_ADMN"]}, "start": {"command": ["/no/such"]}, "network": {}}[kind]
        moment = chance.uniform(0, 0.6)
        what = f"kill {number}, seed {SEED}: refused at {kind}, after {moment * 1000:.0f} ms"
        print(what)
        supervisor.write_target(state("b", subnet("10.217.9.0/25") if kind == "network" else network, **members))
        time.sleep(moment)
        supervisor.kill()
        states = [each["State"] for each in bridged.containers(target.APP)]
        interrupted += states != ["running"]
        try:
            supervisor.start()
            wait_until(lambda: failed(supervisor), 30, "the update fails")

            def good() -> None:
                (container,) = bridged.ask("GET", "/containers/json", None, {"all": 1})
                assert container["State"] == "running", container["State"]
                assert container["Labels"]["io.supervisor.commit"] == target.commit("a"), container["Labels"]

            wait_until(lambda: good() or True, 20, "only the last good release is there, and runs")
            assert set(bridged.networks(target.APP)) == {f"{target.APP}_back"}, "no network is left over"
            supervisor.write_target(state("a", network))
            supervisor.wait_services(["main"], release="a")
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}\n{supervisor.log[-3000:]}") from None
    measured(f"kill -9 in refused updates: seed {SEED}, {kills} kills, {interrupted} of them in the middle")
    assert json.dumps(supervisor.device()["locks"]) == "[]"
