"""Apps with several services, networks and volumes: installed, updated a service at a time, removed."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness import target
from harness.engine import SERVICE_LABEL, Engine, nanoseconds
from harness.seed import SEED
from harness.supervisor import Supervisor
from harness.waiting import stays, wait_until
from harness.wire import Connection, request

KILLS = int(os.environ.get("SUPERVISOR_TEST_KILLS", "50"))

SHOP = target.APP
PLANT = target.OTHER
SERVICES = {SHOP: {"db", "api", "web"}, PLANT: {"broker", "reader", "writer"}}
#: A page for those who look for the service by its name.
SERVE = 'echo "$PAGE" > /tmp/index.html; httpd -p 8080 -h /tmp'


def service(name: str, **members: Any) -> dict[str, Any]:
    environment = {"ON_START": SERVE, "PAGE": name, **members.pop("environment", {})}
    return {"environment": environment, "stop_grace_period": "2s", **members}


def shop(release: str = "a", **changes: dict[str, Any]) -> dict[str, Any]:
    """Two networks of its own, and a volume that two services have; `changes` are members of services by name."""
    services = {
        "db": service("db", networks=["back"], volumes=["store:/var/store"]),
        "api": service("api", networks=["back", "front"], depends_on=["db"], volumes=["store:/store:ro"]),
        "web": service("web", networks={"front": {"aliases": ["www"]}}, depends_on=["api"]),
    }
    for name, members in changes.items():
        services[name] = merged(services[name], members)
    return target.several(
        SHOP, services, release, "shop", networks={"back": {"internal": True}, "front": {}}, volumes={"store": {}}
    )


def plant(release: str = "a", **changes: dict[str, Any]) -> dict[str, Any]:
    """No network is named: all are on the app's own."""
    services = {
        "broker": service("broker", volumes=["queue:/queue"]),
        "reader": service("reader", depends_on={"broker": {"condition": "service_started"}}),
        "writer": service("writer", depends_on=["broker"]),
    }
    for name, members in changes.items():
        services[name] = merged(services[name], members)
    return target.several(PLANT, services, release, "plant", volumes={"queue": {}})


def merged(service: dict[str, Any], members: dict[str, Any]) -> dict[str, Any]:
    environment = {**service["environment"], **members.get("environment", {})}
    return {**service, **members, "environment": environment}


def facts(containers: dict[str, dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """What stays the same about containers that nobody touches."""
    return {name: (each["Id"], each["State"]["StartedAt"]) for name, each in containers.items()}


def touched(before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def fetch(engine: Engine, container: dict[str, Any], name: str) -> str:
    """What a container gets from another service by its name, as soon as that one serves."""
    script = f"timeout 3 wget -qO- http://{name}:8080/"
    return wait_until(lambda: engine.shell(container["Id"], script), 10, f"http://{name}:8080/ answers")


def bridges_there() -> set[str]:
    # Not from /sys, which is the machine's.
    return {name for _, name in socket.if_nameindex() if name.startswith("supervisor")}


def reaches(engine: Engine, container: dict[str, Any], name: str) -> bool:
    return engine.execute(container["Id"], ["/bin/sh", "-c", f"timeout 3 wget -qO- http://{name}:8080/"])[0] == 0


def everything(supervisor: Supervisor, **releases: str) -> dict[int, dict[str, dict[str, Any]]]:
    """Waits until both apps run whole."""
    return {
        app: supervisor.wait_services(names, app, releases.get(name))
        for (app, names), name in zip(SERVICES.items(), ("shop", "plant"))
    }


@pytest.fixture
def both(bridged: Engine, supervisor: Supervisor) -> Supervisor:
    """A device that runs both apps."""
    supervisor.write_target(shop(), plant())
    supervisor.start()
    everything(supervisor, shop="a", plant="a")
    return supervisor


@pytest.fixture
def alone(bridged: Engine, supervisor: Supervisor) -> Supervisor:
    """A device that runs the shop."""
    supervisor.write_target(shop())
    supervisor.start()
    supervisor.wait_services(SERVICES[SHOP], release="a")
    return supervisor


# ---- installed


def test_two_apps_of_three_services_are_installed(both: Supervisor) -> None:
    engine = both.engine
    assert set(engine.networks(SHOP)) == {f"{SHOP}_back", f"{SHOP}_front"}
    assert set(engine.networks(PLANT)) == {f"{PLANT}_default"}
    assert set(engine.volumes(SHOP)) == {f"{SHOP}_store"}
    assert set(engine.volumes(PLANT)) == {f"{PLANT}_queue"}
    bridges = set()
    for name, network in engine.networks().items():
        bridge = network["Options"]["com.docker.network.bridge.name"]
        assert bridge.startswith("supervisor") and bridge[len("supervisor") :].isdigit(), bridge
        assert bridge in bridges_there()
        assert network["Labels"]["io.supervisor.network"] == name.partition("_")[2]
        bridges.add(bridge)
    assert len(bridges) == 3, "each network has a bridge of its own"
    assert engine.networks()[f"{SHOP}_back"]["Internal"] is True
    assert engine.volumes()[f"{SHOP}_store"]["Labels"]["io.supervisor.volume"] == "store"
    for app, names in SERVICES.items():
        for name, container in engine.services(app).items():
            labels = container["Config"]["Labels"]
            assert labels[SERVICE_LABEL] == name
            assert container["HostConfig"]["NetworkMode"] != "host"
    status = both.app_status(SHOP)
    assert {each["serviceName"]: each["state"] for each in status["services"]} == {
        name: "running" for name in SERVICES[SHOP]
    }


def test_services_find_one_another_by_name_where_they_share_a_network(both: Supervisor) -> None:
    engine = both.engine
    ours, theirs = engine.services(SHOP), engine.services(PLANT)
    assert fetch(engine, ours["api"], "db") == "db"
    assert fetch(engine, ours["api"], "web") == "web"
    assert fetch(engine, ours["api"], "www") == "web"
    assert fetch(engine, ours["web"], "api") == "api"
    assert fetch(engine, theirs["reader"], "broker") == "broker"
    assert fetch(engine, theirs["broker"], "writer") == "writer"
    assert not reaches(engine, ours["web"], "db"), "they share no network"
    assert not reaches(engine, theirs["reader"], "db"), "another app is another world"


def test_services_share_a_volume_and_the_data_but_no_lock(both: Supervisor) -> None:
    engine = both.engine
    ours = engine.services(SHOP)
    engine.shell(ours["db"]["Id"], "echo kept > /var/store/file; echo all > /data/file; : > /tmp/balena/updates.lock")
    assert engine.shell(ours["api"]["Id"], "cat /store/file /data/file; ls /tmp/balena") == "kept\nall"
    assert engine.execute(ours["api"]["Id"], ["/bin/sh", "-c", "echo x > /store/file"])[0] != 0, "it has it :ro"
    assert engine.shell(ours["web"]["Id"], "cat /data/file; ls /tmp/resin") == "all"
    held = wait_until(both.held_locks, 3, "the lock is told")
    assert {(lock["appId"], lock["service"]) for lock in held} == {(SHOP, "db")}
    assert engine.shell(engine.services(PLANT)["reader"]["Id"], "ls /data") == ""


def starts(engine: Engine, since: float, app: int) -> list[str]:
    """The services in the order in which their containers were started."""
    events = engine.events(since, time.time() + 1, app)
    return [event["Actor"]["Attributes"][SERVICE_LABEL] for event in events if event["Action"] == "start"]


def test_services_start_in_the_order_of_what_they_depend_on(bridged: Engine, supervisor: Supervisor) -> None:
    since = time.time()
    # Named and numbered against the order that is asked for.
    services = {
        "a": service("a", depends_on=["b", "c"]),
        "b": service("b", depends_on={"d": {"condition": "service_started"}}),
        "c": service("c", depends_on=["b"]),
        "d": service("d"),
    }
    supervisor.write_target(target.several(SHOP, services))
    supervisor.start()
    supervisor.wait_services(services)
    assert starts(bridged, since, SHOP) == ["d", "b", "c", "a"]
    since = time.time()
    assert supervisor.api("POST", "/v1/restart", {"appId": SHOP}).status == 200
    assert starts(bridged, since, SHOP) == ["d", "b", "c", "a"]


def test_a_service_waits_for_one_that_has_to_be_healthy(bridged: Engine, checked: str, supervisor: Supervisor) -> None:
    since = time.time()
    services = {
        "a": service("a", depends_on={"b": {"condition": "service_healthy"}}),
        "b": service("b", image=checked, environment={"ON_CHECK": "test -e /data/well"}),
    }
    supervisor.write_target(target.several(SHOP, services))
    supervisor.start()
    engine = supervisor.engine
    wait_until(lambda: starts(engine, since, SHOP) == ["b"], 20, "the other one has started")
    stays(lambda: starts(engine, since, SHOP) == ["b"], 3, "it waits")
    assert supervisor.healthy()[0]
    (supervisor.data_folder() / "well").touch()
    supervisor.wait_services(services)
    health = [e for e in engine.events(since, time.time() + 1, SHOP) if e["Action"].startswith("health_status")]
    well = next(e["timeNano"] for e in health if e["Action"].endswith(" healthy"))
    assert nanoseconds(engine.services(SHOP)["a"]["State"]["StartedAt"]) >= well


# ---- updated


@pytest.mark.parametrize("releases", ["aaa", "bcd"], ids=["same-commit", "new-commits"])
def test_each_service_is_updated_alone(both: Supervisor, releases: str) -> None:
    engine = both.engine
    engine.shell(engine.services(SHOP)["db"]["Id"], "echo kept > /var/store/file; echo kept > /data/file")
    others = facts(engine.services(PLANT))
    networks = {name: each["Id"] for name, each in engine.networks().items()}
    changes: dict[str, dict[str, Any]] = {}
    for name, release in zip(("web", "db", "api"), releases):
        before = facts(engine.services(SHOP))
        changes[name] = {"environment": {"PAGE": f"{name}-2"}}
        both.write_target(shop(release, **changes), plant())
        wait_until(lambda: facts(engine.services(SHOP)) != before, 20, "something is updated")
        after = both.wait_services(SERVICES[SHOP], release=release)
        assert touched(before, facts(after)) == {name}
        assert f"PAGE={name}-2" in after[name]["Config"]["Env"]
        assert facts(engine.services(PLANT)) == others
    assert {name: each["Id"] for name, each in engine.networks().items()} == networks
    containers = engine.services(SHOP)
    assert engine.shell(containers["db"]["Id"], "cat /var/store/file /data/file") == "kept\nkept"
    assert fetch(engine, containers["api"], "db") == "db-2"


def test_a_new_commit_alone_touches_nothing(both: Supervisor) -> None:
    before = {app: facts(both.engine.services(app)) for app in SERVICES}
    both.write_target(shop("b"), plant("c"))
    everything(both, shop="b", plant="c")
    assert {app: facts(both.engine.services(app)) for app in SERVICES} == before
    status = both.app_status(SHOP)
    assert status["commit"] == status["targetCommit"] == target.commit("b")
    both.restart()
    everything(both, shop="b", plant="c")
    assert {app: facts(both.engine.services(app)) for app in SERVICES} == before


def test_a_new_image_of_one_service_touches_only_that(both: Supervisor, proxy, published) -> None:
    image = published("api", [1000])
    before = facts(both.engine.services(SHOP))
    both.write_target(shop("b", api={"image": image.reference}), plant())
    wait_until(lambda: facts(both.engine.services(SHOP)) != before, 30, "something is updated")
    after = both.wait_services(SERVICES[SHOP], release="b")
    assert touched(before, facts(after)) == {"api"}
    assert after["api"]["Config"]["Image"] == image.reference


def test_a_download_that_fails_keeps_no_other_service_from_its_update(both: Supervisor, proxy, published) -> None:
    image = published("fails", [1000])
    proxy.fail("/manifests/", 404)
    before = facts(both.engine.services(SHOP))
    both.write_target(shop("b", api={"image": image.reference}, web={"environment": {"PAGE": "web-2"}}), plant())
    wait_until(lambda: touched(before, facts(both.engine.services(SHOP))) == {"web"}, 30, "web is updated")
    wait_until(lambda: both.device()["update_failed"], 20, "the failure is told")
    assert touched(before, facts(both.engine.services(SHOP))) == {"web"}
    proxy.reset()
    both.update()
    after = both.wait_services(SERVICES[SHOP], release="b")
    assert touched(before, facts(after)) == {"web", "api"}


def test_services_come_and_go_alone(alone: Supervisor) -> None:
    engine = alone.engine
    before = facts(engine.services(SHOP))
    more = shop("b")
    more[str(SHOP)]["services"]["4"] = {
        **more[str(SHOP)]["services"]["3"],
        "serviceName": "mail",
        "imageId": 4,
        "networks": ["front"],
    }
    alone.write_target(more)
    alone.wait_services({*SERVICES[SHOP], "mail"})
    assert touched(before, facts(engine.services(SHOP))) == {"mail"}
    alone.write_target(shop("c"))
    alone.wait_services(SERVICES[SHOP])
    assert facts(engine.services(SHOP)) == before


def test_a_service_that_should_not_run_does_not_and_the_others_do(alone: Supervisor) -> None:
    engine = alone.engine
    before = facts(engine.services(SHOP))
    alone.write_target(shop(web={"running": False}))
    wait_until(lambda: not engine.services(SHOP)["web"]["State"]["Running"], 20, "web is stopped")
    after = engine.services(SHOP)
    assert after["web"]["Id"] == before["web"][0]
    assert touched(before, facts(after)) <= {"web"}
    assert after["api"]["State"]["Running"] and after["db"]["State"]["Running"]


# ---- networks and volumes change


def test_a_network_that_changes_touches_only_those_on_it(alone: Supervisor) -> None:
    engine = alone.engine
    engine.shell(engine.services(SHOP)["db"]["Id"], "echo kept > /var/store/file")
    before = facts(engine.services(SHOP))
    networks = {name: each["Id"] for name, each in engine.networks(SHOP).items()}
    definition = shop("b")
    definition[str(SHOP)]["networks"]["back"] = {
        "internal": False,
        "ipam": {"config": [{"subnet": "10.211.7.0/24", "gateway": "10.211.7.1"}]},
    }
    alone.write_target(definition)
    wait_until(lambda: engine.networks(SHOP)[f"{SHOP}_back"]["Id"] != networks[f"{SHOP}_back"], 30, "a new network")
    after = alone.wait_services(SERVICES[SHOP])
    now = engine.networks(SHOP)
    assert now[f"{SHOP}_front"]["Id"] == networks[f"{SHOP}_front"]
    assert now[f"{SHOP}_back"]["Internal"] is False
    assert now[f"{SHOP}_back"]["IPAM"]["Config"][0]["Subnet"] == "10.211.7.0/24"
    assert touched(before, facts(after)) == {"db", "api"}
    assert fetch(engine, after["api"], "db") == "db"
    assert engine.shell(after["db"]["Id"], "cat /var/store/file") == "kept"


def test_networks_come_and_go(alone: Supervisor) -> None:
    engine = alone.engine
    before = facts(engine.services(SHOP))
    more = shop("b", web={"networks": ["front", "side"]})
    more[str(SHOP)]["networks"]["side"] = {}
    alone.write_target(more)
    wait_until(lambda: f"{SHOP}_side" in engine.networks(SHOP), 20, "the new network")
    after = alone.wait_services(SERVICES[SHOP])
    assert set(after["web"]["NetworkSettings"]["Networks"]) == {f"{SHOP}_front", f"{SHOP}_side"}
    assert touched(before, facts(after)) == {"web"}
    alone.write_target(shop("c"))
    wait_until(lambda: set(engine.networks(SHOP)) == {f"{SHOP}_back", f"{SHOP}_front"}, 20, "the network is gone")
    alone.wait_services(SERVICES[SHOP])


def test_a_service_has_the_address_and_the_names_that_it_is_given(bridged: Engine, supervisor: Supervisor) -> None:
    services = {
        "one": service("one", networks={"lan": {"ipv4_address": "10.212.9.9", "aliases": ["first", "uno"]}}),
        "two": service("two", networks={"lan": None}),
    }
    lan = {"ipam": {"config": [{"subnet": "10.212.9.0/24"}]}}
    supervisor.write_target(target.several(SHOP, services, networks={"lan": lan}))
    supervisor.start()
    containers = supervisor.wait_services(services)
    network = containers["one"]["NetworkSettings"]["Networks"][f"{SHOP}_lan"]
    assert network["IPAddress"] == "10.212.9.9"
    for name in ("one", "first", "uno", "10.212.9.9"):
        assert fetch(bridged, containers["two"], name) == "one"


def test_a_volume_outlives_what_uses_it(alone: Supervisor) -> None:
    engine = alone.engine
    engine.shell(engine.services(SHOP)["db"]["Id"], "echo kept > /var/store/file")
    alone.write_target(shop("b", db={"environment": {"PAGE": "db-2"}}))
    wait_until(lambda: "PAGE=db-2" in engine.services(SHOP)["db"]["Config"]["Env"], 20, "db is updated")
    containers = alone.wait_services(SERVICES[SHOP], release="b")
    assert engine.shell(containers["db"]["Id"], "cat /var/store/file") == "kept"
    # The volume goes from the target with its users: it stays all the same, until somebody takes it away.
    without = shop("c", db={"volumes": []}, api={"volumes": []})
    without[str(SHOP)]["volumes"] = {}
    alone.write_target(without)
    wait_until(lambda: "PAGE=db" in engine.services(SHOP)["db"]["Config"]["Env"], 20, "db is updated")
    alone.wait_services(SERVICES[SHOP], release="c")
    assert set(engine.volumes(SHOP)) == {f"{SHOP}_store"}
    alone.write_target(shop("d"))
    wait_until(lambda: engine.services(SHOP)["db"]["Mounts"][-1], 20, "db is updated")
    wait_until(
        lambda: engine.shell(alone.wait_services(SERVICES[SHOP])["db"]["Id"], "cat /var/store/file") == "kept",
        20,
        "what was in the volume is there again",
    )


# ---- removed


def test_an_app_that_goes_leaves_its_volumes_and_nothing_else(both: Supervisor) -> None:
    engine = both.engine
    engine.shell(engine.services(SHOP)["db"]["Id"], "echo kept > /var/store/file")
    before = facts(engine.services(PLANT))
    both.write_target(plant())
    wait_until(lambda: not engine.containers(SHOP) and not engine.networks(SHOP), 30, "containers and networks are gone")
    both.wait_services(SERVICES[PLANT], PLANT)
    assert facts(engine.services(PLANT)) == before
    assert set(engine.volumes(SHOP)) == {f"{SHOP}_store"}
    both.write_target(shop(), plant())
    everything(both)
    assert engine.shell(engine.services(SHOP)["db"]["Id"], "cat /var/store/file") == "kept"


def test_volumes_that_nothing_uses_are_listed(both: Supervisor) -> None:
    both.write_target(plant())
    wait_until(lambda: not both.engine.containers(SHOP), 30, "the app is gone")
    listed = both.ctl("volumes", "--json")
    assert listed.returncode == 0, listed.stderr
    volumes = {each["name"]: (each["appId"], each["volume"], each["state"]) for each in json.loads(listed.stdout)}
    assert volumes == {
        f"{SHOP}_store": (SHOP, "store", "left over"),
        f"{PLANT}_queue": (PLANT, "queue", "in use"),
    }


# ---- locks


def lock(supervisor: Supervisor, app: int, service: str) -> Path:
    return supervisor.lock_folder(app, service) / "updates.lock"


def test_the_lock_of_one_service_keeps_an_update_of_several_from_all(both: Supervisor) -> None:
    engine = both.engine
    before = facts(engine.services(SHOP))
    lock(both, SHOP, "api").touch()
    change = {name: {"environment": {"PAGE": f"{name}-2"}} for name in SERVICES[SHOP]}
    both.write_target(shop("b", **change), plant())
    wait_until(lambda: both.device()["update_failed"], 20, "the update is refused")
    stays(lambda: facts(engine.services(SHOP)) == before, 2, "nothing is touched")
    state = both.device()
    assert state["update_pending"] and state["update_downloaded"]
    assert "api" in state["update_error"], state
    lock(both, SHOP, "api").unlink()
    wait_until(lambda: touched(before, facts(engine.services(SHOP))) == SERVICES[SHOP], 30, "all are updated")
    everything(both, shop="b")
    assert locks_left(both) == []


def test_the_lock_of_another_app_is_no_lock(both: Supervisor) -> None:
    lock(both, PLANT, "broker").touch()
    before = facts(both.engine.services(SHOP))
    both.write_target(shop("b", api={"environment": {"PAGE": "api-2"}}), plant())
    wait_until(lambda: touched(before, facts(both.engine.services(SHOP))) == {"api"}, 20, "api is updated")
    everything(both, shop="b")
    assert lock(both, PLANT, "broker").exists()


def test_force_passes_the_lock_of_a_service(both: Supervisor) -> None:
    lock(both, SHOP, "api").touch()
    before = facts(both.engine.services(SHOP))
    both.write_target(shop("b", api={"environment": {"PAGE": "api-2"}}), plant())
    wait_until(lambda: both.device()["update_failed"], 20, "the update is refused")
    both.update(force=True)
    wait_until(lambda: touched(before, facts(both.engine.services(SHOP))) == {"api"}, 20, "api is updated")
    everything(both, shop="b")
    assert locks_left(both) == []


def test_a_service_that_changes_keeps_no_lock_of_another_from_being_its_own(both: Supervisor) -> None:
    """A forced update of one service leaves alone what another one holds."""
    lock(both, SHOP, "db").write_text("the app's own")
    before = facts(both.engine.services(SHOP))
    both.write_target(shop("b", api={"environment": {"PAGE": "api-2"}}), plant())
    both.update(force=True)
    wait_until(lambda: touched(before, facts(both.engine.services(SHOP))) == {"api"}, 20, "api is updated")
    everything(both, shop="b")
    assert lock(both, SHOP, "db").read_text() == "the app's own"


# ---- through the API


@pytest.mark.parametrize("operation", ["restart", "purge"])
def test_restart_and_purge_take_the_whole_app_or_nothing(both: Supervisor, operation: str) -> None:
    engine = both.engine
    engine.shell(engine.services(SHOP)["db"]["Id"], "echo kept > /var/store/file; echo x > /data/file")
    others = facts(engine.services(PLANT))
    before = facts(engine.services(SHOP))
    for name in ("db", "web"):
        lock(both, SHOP, name).touch()
        refused = both.api("POST", f"/v1/{operation}", {"appId": SHOP})
        assert refused.status == 423, refused
        assert facts(engine.services(SHOP)) == before
        assert (both.data_folder(SHOP) / "file").exists()
        lock(both, SHOP, name).unlink()
    assert locks_left(both) == []
    done = both.api("POST", f"/v1/{operation}", {"appId": SHOP})
    assert done.status == 200, done
    assert done.text == "OK" if operation == "restart" else done.json == {"Data": "OK", "Error": ""}
    after = engine.services(SHOP)
    assert all(each["State"]["Running"] for each in after.values())
    assert touched(before, facts(after)) == SERVICES[SHOP]
    assert (both.data_folder(SHOP) / "file").exists() == (operation == "restart")
    assert engine.shell(after["db"]["Id"], "cat /var/store/file") == "kept", "a volume is no /data"
    assert facts(engine.services(PLANT)) == others
    assert fetch(engine, after["api"], "db") == "db"
    everything(both)
    assert facts(engine.services(SHOP)) == facts(after), "nothing is left to be done"
    assert locks_left(both) == []
    forced = both.api("POST", f"/v1/{operation}", {"appId": SHOP, "force": True})
    assert forced.status == 200


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/apps/{}/stop"), ("POST", "/v1/apps/{}/start"), ("GET", "/v1/apps/{}")]
)
def test_what_is_about_one_container_says_so(both: Supervisor, method: str, path: str) -> None:
    before = facts(both.engine.services(SHOP))
    answer = both.api(method, path.format(SHOP), {} if method == "POST" else None)
    assert answer.status == 400
    assert "3 services" in answer.text, answer.text
    assert set(answer.text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 :'.?!,/-"), answer.text
    assert facts(both.engine.services(SHOP)) == before


def test_a_restart_keeps_what_the_containers_are(both: Supervisor) -> None:
    """Networks, names and volumes after a restart are those of before."""
    engine = both.engine
    networks = {name: each["Id"] for name, each in engine.networks().items()}
    assert both.api("POST", "/v1/restart", {"appId": SHOP}).status == 200
    assert {name: each["Id"] for name, each in engine.networks().items()} == networks
    after = engine.services(SHOP)
    assert set(after["api"]["NetworkSettings"]["Networks"]) == {f"{SHOP}_back", f"{SHOP}_front"}
    assert fetch(engine, after["api"], "www") == "web"


# ---- the way to the API


def test_an_app_on_its_own_network_reaches_the_api_and_nobody_else_does(
    bridged: Engine, new_supervisor: Any
) -> None:
    supervisor = new_supervisor(bridged, settings={"API": {"Interfaces": "lo apps"}})
    supervisor.write_target(shop(), plant())
    supervisor.start()
    containers = everything(supervisor)
    gateways = {}
    for app, name in ((SHOP, "web"), (SHOP, "api"), (SHOP, "db"), (PLANT, "reader")):
        container = containers[app][name]
        environment = dict(entry.split("=", 1) for entry in container["Config"]["Env"])
        gateways[name] = environment["RESIN_SUPERVISOR_HOST"]
        script = 'timeout 3 wget -qO- "$RESIN_SUPERVISOR_ADDRESS/ping?apikey=$RESIN_SUPERVISOR_API_KEY"'
        assert bridged.shell(container["Id"], script) == "OK", f"{name} asks {gateways[name]}"
    network = bridged.networks()[f"{SHOP}_front"]
    assert gateways["web"] == network["IPAM"]["Config"][0]["Gateway"]
    # Somebody on docker0, which is not among the interfaces here: neither by its own gateway nor by the apps'.
    foreign = bridged.docker("run", "-d", "--name", "foreign", "demo:1")
    assert foreign.returncode == 0, foreign.stderr
    for host in {bridged.gateway(), *gateways.values()}:
        status, text = bridged.execute("foreign", ["/bin/sh", "-c", f"timeout 3 wget -qO- http://{host}:{supervisor.port}/ping"])
        assert status != 0, text
        assert "401" not in text, f"{host} answers on docker0"
    # The port closes with the bridge.
    bridge = network["Options"]["com.docker.network.bridge.name"]
    wait_until(lambda: f"API on {bridge}" in supervisor.log, 3, "the log tells of the listener")
    supervisor.write_target(plant())
    wait_until(lambda: not bridged.networks(SHOP), 30, "the app is gone")
    supervisor.logged(f"closing the API on {bridge}")


# ---- bad targets


def bad(place: str, reason: str, **members: Any) -> Any:
    return pytest.param(place, reason, members, id=place.rpartition(".")[2] + "-" + reason.replace(" ", "-"))


@pytest.mark.parametrize(
    ("place", "reason", "members"),
    [
        bad("services.3.networks", "nowhere", web={"networks": ["nowhere"]}),
        bad("services.3.volumes", "nothing", web={"volumes": ["nothing:/x"]}),
        bad("services.2.depends_on", "db -> web -> api -> db", db={"depends_on": ["web"]}),
        bad("services.1.depends_on", "ghost", db={"depends_on": ["ghost"]}),
        bad("services.1.depends_on", "service_lucky", db={"depends_on": {"web": {"condition": "service_lucky"}}}),
        bad("services.1.labels", "gently", db={"labels": {"io.balena.update.strategy": "gently"}}),
        bad("services.1.labels", "0", db={"labels": {"io.supervisor.healthy-after": "0"}}),
        bad("services.1.labels", "soon", db={"labels": {"io.supervisor.healthy-after": "soon"}}),
        bad("services.1.labels", "3601", db={"labels": {"io.supervisor.healthy-after": "3601"}}),
        bad("services.1.labels", "never", db={"labels": {"io.resin.update.handover-timeout": "never"}}),
        bad("services.1", "network_mode", db={"network_mode": "host"}),
        bad("services.1.networks", "address", db={"networks": {"back": {"ipv4_address": "10.0.0"}}}),
    ],
)
def test_a_bad_target_is_named_and_the_last_good_one_stays(
    alone: Supervisor, place: str, reason: str, members: dict[str, Any]
) -> None:
    before = facts(alone.engine.services(SHOP))
    alone.write_target(shop("b", **members, api={"environment": {"PAGE": "not this"}}))
    told = lambda: alone.control_json("/control/status")["update"]["targetError"]  # noqa: E731
    error = wait_until(told, 10, "the error is told")
    assert f"apps.{SHOP}.{place}" in error, error
    assert reason in error, error
    stays(lambda: facts(alone.engine.services(SHOP)) == before, 1, "the last good target stays in effect")
    alone.restart()
    alone.wait_services(SERVICES[SHOP])
    assert facts(alone.engine.services(SHOP)) == before, "also across a restart"
    alone.write_target(shop("c", api={"environment": {"PAGE": "this"}}))
    wait_until(lambda: touched(before, facts(alone.engine.services(SHOP))) == {"api"}, 20, "a good one is applied")


@pytest.mark.parametrize(
    ("member", "value", "place"),
    [
        ("networks", {"back": {"ipam": {"config": [{"subnet": "10.0.0.0/99"}]}}, "front": {}}, "networks.back"),
        ("networks", {"back": {"driver": "overlay"}, "front": {}}, "networks.back"),
        ("networks", {"../back": {}, "back": {}, "front": {}}, "networks"),
        ("volumes", {"store": {"driver": 5}}, "volumes.store"),
        ("volumes", {"store": {}, "a b": {}}, "volumes"),
    ],
)
def test_a_bad_definition_of_a_network_or_volume_is_named(
    alone: Supervisor, member: str, value: dict[str, Any], place: str
) -> None:
    before = facts(alone.engine.services(SHOP))
    definition = shop("b", api={"environment": {"PAGE": "not this"}})
    definition[str(SHOP)][member] = value
    alone.write_target(definition)
    told = lambda: alone.control_json("/control/status")["update"]["targetError"]  # noqa: E731
    error = wait_until(told, 10, "the error is told")
    assert f"apps.{SHOP}.{place}" in error, error
    stays(lambda: facts(alone.engine.services(SHOP)) == before, 1, "the last good target stays in effect")


# ---- supervisors that end


def test_a_supervisor_that_starts_anew_touches_nothing(both: Supervisor) -> None:
    before = {app: facts(both.engine.services(app)) for app in SERVICES}
    networks = {name: each["Id"] for name, each in both.engine.networks().items()}
    both.restart()
    everything(both)
    both.kill()
    both.start()
    everything(both)
    assert {app: facts(both.engine.services(app)) for app in SERVICES} == before
    assert {name: each["Id"] for name, each in both.engine.networks().items()} == networks


def test_a_lost_target_is_read_back_from_what_runs(both: Supervisor) -> None:
    engine = both.engine
    before = {app: facts(engine.services(app)) for app in SERVICES}
    networks = {name: each["Id"] for name, each in engine.networks().items()}
    both.kill()
    for name in ("target.json", "target.json.last"):
        (both.state / name).unlink(missing_ok=True)
    both.target_file.unlink()
    both.start()
    everything(both)
    assert {app: facts(engine.services(app)) for app in SERVICES} == before
    assert {name: each["Id"] for name, each in engine.networks().items()} == networks
    # What was read back is good enough to make all of it again.
    assert both.api("POST", "/v1/restart", {"appId": SHOP}).status == 200
    after = everything(both)
    assert fetch(engine, after[SHOP]["api"], "www") == "web"
    assert touched(before[SHOP], facts(after[SHOP])) == SERVICES[SHOP]
    both.write_target(shop(), plant())
    both.update()
    everything(both)
    assert facts(engine.services(SHOP)) == facts(after[SHOP]), "the target that comes back is the same"


def test_networks_that_somebody_removed_come_back(alone: Supervisor) -> None:
    engine = alone.engine
    name = f"{SHOP}_front"
    before = engine.networks(SHOP)[name]["Id"]
    assert alone.process
    alone.process.freeze()  # or it puts the first container back on the network before that can be removed
    for service in ("api", "web"):
        engine.remove(engine.services(SHOP)[service]["Id"])
    assert engine.call("DELETE", f"/networks/{before}")[0] == 204
    alone.process.thaw()
    wait_until(lambda: engine.networks(SHOP).get(name, {}).get("Id") not in (None, before), 30, "it is there again")
    after = alone.wait_services(SERVICES[SHOP])
    assert fetch(engine, after["api"], "www") == "web"


def locks_left(supervisor: Supervisor) -> list[str]:
    names = ("updates.lock", "resin-updates.lock")
    places = [supervisor.lock_folder(app, one) / name for app, all in SERVICES.items() for one in all for name in names]
    places += [supervisor.data_folder(app) / "resin-updates.lock" for app in SERVICES]
    return [str(place) for place in places if os.path.lexists(place)]


def begin(supervisor: Supervisor, operation: str, app: int) -> None:
    """Asks for an operation and does not wait for it; the connection dies with the supervisor."""
    body = json.dumps({"appId": app}).encode()
    connection = Connection(supervisor.address)
    connection.send(request("POST", f"/v1/{operation}?apikey={supervisor.key}", [], body))
    threading.Timer(3, connection.socket.close).start()


def test_apps_that_are_killed_at_any_moment_are_made_good_by_the_next(both: Supervisor, measured: Any) -> None:
    """Updates of one service and of all, other networks, an app that goes and comes, restart and purge."""
    print(f"seed {SEED}: SUPERVISOR_TEST_SEED={SEED} SUPERVISOR_TEST_KILLS={KILLS} repeats this")
    chance = random.Random(SEED)
    engine = both.engine
    engine.shell(engine.services(SHOP)["db"]["Id"], "echo shop > /var/store/file")
    engine.shell(engine.services(PLANT)["broker"]["Id"], "echo plant > /queue/file")
    pages: dict[str, dict[str, Any]] = {}
    subnet, has_shop, interrupted, serial = 0, True, 0, 0

    def apply(release: str) -> None:
        plants = plant(release)
        ours = shop(release, **pages)
        ours[str(SHOP)]["networks"]["back"] = {"ipam": {"config": [{"subnet": f"10.214.{subnet}.0/24"}]}}
        both.write_target(*([ours] if has_shop else []), plants)

    apply("a")
    wait_until(lambda: engine.networks(SHOP)[f"{SHOP}_back"]["IPAM"]["Config"][0]["Subnet"] == "10.214.0.0/24", 30, "it")
    everything(both)
    counts: dict[str, int] = {}
    for number in range(KILLS):
        release = "abcdef"[number % 6]
        operations = ["one", "all", "network", "removal", "restart", "purge"] if has_shop else ["return"]
        operation = chance.choice(operations)
        counts[operation] = counts.get(operation, 0) + 1
        serial += 1
        moment = chance.uniform(0, 1.2 if operation != "one" else 0.5)
        what = f"round {number}, seed {SEED}: {operation} killed after {moment * 1000:.0f} ms"
        print(what)
        # What one service has in /data is the whole app's.
        (both.data_folder(PLANT) / "file").write_text("x")
        match operation:
            case "one":
                pages[chance.choice(["db", "api", "web"])] = {"environment": {"PAGE": f"p{serial}"}}
                apply(release)
            case "all":
                pages.update({name: {"environment": {"PAGE": f"p{serial}"}} for name in SERVICES[SHOP]})
                apply(release)
            case "network":
                subnet += 1
                apply(release)
            case "removal":
                has_shop = False
                apply(release)
            case "return":
                has_shop = True
                apply(release)
            case "restart" | "purge":
                begin(both, operation, SHOP)
        time.sleep(moment)
        both.kill()
        states = [container["State"] for container in engine.containers()]
        interrupted += bool(locks_left(both)) or states != ["running"] * (6 if has_shop else 3)
        try:
            both.start()

            def good() -> bool:
                both.wait_services(SERVICES[PLANT], PLANT, deadline=0.1)
                if has_shop:
                    found = both.wait_services(SERVICES[SHOP], SHOP, deadline=0.1)
                    for name in SERVICES[SHOP]:
                        page = pages.get(name, {"environment": {"PAGE": name}})["environment"]["PAGE"]
                        assert f"PAGE={page}" in found[name]["Config"]["Env"], f"{name} is not {page}"
                wanted = {f"{PLANT}_default"} | ({f"{SHOP}_back", f"{SHOP}_front"} if has_shop else set())
                networks = engine.networks()
                assert set(networks) == wanted, set(networks)
                if has_shop:
                    config = networks[f"{SHOP}_back"]["IPAM"]["Config"][0]
                    assert config["Subnet"] == f"10.214.{subnet}.0/24", config
                    for name, on in (("db", {"back"}), ("api", {"back", "front"}), ("web", {"front"})):
                        there = found[name]["NetworkSettings"]["Networks"]
                        assert {each["NetworkID"] for each in there.values()} == {
                            networks[f"{SHOP}_{each}"]["Id"] for each in on
                        }, f"{name} is on {there}"
                total = engine.ask("GET", "/containers/json", None, {"all": 1})
                assert len(total) == (6 if has_shop else 3), [each["Names"] for each in total]
                assert set(engine.volumes()) == {f"{SHOP}_store", f"{PLANT}_queue"}
                return True

            wait_until(good, 30, "all is as the target says")
            if has_shop:
                assert engine.shell(engine.services(SHOP)["db"]["Id"], "cat /var/store/file") == "shop"
            assert engine.shell(engine.services(PLANT)["broker"]["Id"], "cat /queue/file /data/file") == "plant\nx"
            wait_until(lambda: locks_left(both) == [], 3, "no lock of ours is left")
            assert both.held_locks() == []
            status = both.control_json("/control/status")
            assert status["health"]["healthy"], status["health"]
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}\n{both.log[-3000:]}") from None
    if has_shop:
        found = engine.services(SHOP)
        assert fetch(engine, found["api"], "db") and fetch(engine, found["api"], "www")
    assert len(bridges_there()) == len(engine.networks()), f"bridges are left over: {bridges_there()}"
    rounds = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    measured(f"kill -9 with several services: seed {SEED}, {KILLS} kills ({rounds}), {interrupted} of them in the middle")
    assert interrupted >= KILLS // 10, "the moments miss the operations"
