"""What an app does to itself through the API, from inside its container."""

from __future__ import annotations

import json
import time

import pytest

from harness import target
from harness.engine import Engine
from harness.supervisor import Supervisor
from harness.waiting import wait_until

API = '"$RESIN_SUPERVISOR_ADDRESS{path}?apikey=$RESIN_SUPERVISOR_API_KEY"'


def wget(path: str, body: str | None = None) -> str:
    post = f"--post-data='{body}' " if body is not None else ""
    return f"wget -qO- {post}" + API.format(path=path)


def netcat(path: str, body: str) -> str:
    """The same without anything that waits for an answer."""
    return (
        f"body='{body}'; "
        f'printf "POST {path}?apikey=%s HTTP/1.1\\r\\nHost: d\\r\\nContent-Length: %s\\r\\n\\r\\n%s" '
        '"$RESIN_SUPERVISOR_API_KEY" "${#body}" "$body" '
        '| nc "$RESIN_SUPERVISOR_HOST" "$RESIN_SUPERVISOR_PORT"'
    )


@pytest.fixture(params=["host", "bridge"])
def networked(request: pytest.FixtureRequest, supervisor: Supervisor) -> Supervisor:
    """The demo app with each kind of network."""
    if request.param == "bridge" and not supervisor.engine.bridge:
        pytest.skip("this machine's engine has no bridge")
    supervisor.write_target(target.app(network_mode=request.param))
    supervisor.start()
    supervisor.wait_settled(release="a")
    return supervisor


def test_an_engine_bridge_of_another_name_has_the_api(bridged: Engine, new_engine, new_supervisor) -> None:
    engine = new_engine(bridge="brx0")
    supervisor = new_supervisor(engine, settings={"API": {"Interfaces": "lo docker0 apps"}})
    supervisor.write_target(target.app(network_mode="bridge"))
    supervisor.start()
    container = supervisor.wait_settled(release="a")
    supervisor.logged("API on brx0")
    assert engine.shell(container["Id"], wget("/ping")) == "OK"


def test_ping_from_inside_says_ok(networked: Supervisor) -> None:
    container = networked.engine.running(target.APP)
    assert networked.engine.shell(container["Id"], wget("/ping")) == "OK"
    assert networked.engine.shell(container["Id"], wget("/ping").replace("RESIN_", "BALENA_")) == "OK"


def test_the_address_fits_the_network(networked: Supervisor) -> None:
    container = networked.engine.running(target.APP)
    mode = container["HostConfig"]["NetworkMode"]
    host = "127.0.0.1" if mode == "host" else networked.engine.gateway()
    env = dict(entry.split("=", 1) for entry in container["Config"]["Env"])
    expected = {
        "SUPERVISOR_ADDRESS": f"http://{host}:{networked.port}",
        "SUPERVISOR_HOST": host,
        "SUPERVISOR_PORT": str(networked.port),
        "SUPERVISOR_API_KEY": networked.key,
        "APP_ID": str(target.APP),
        "APP_NAME": "demo",
        "APP_RELEASE": target.commit("a"),
        "APP_LOCK_PATH": "/tmp/balena/updates.lock",
        "SUPERVISOR_VERSION": networked.device()["supervisor_version"],
        "HOST_OS_VERSION": networked.device()["os_version"],
    }
    for name, value in expected.items():
        assert (name, env[f"RESIN_{name}"], env[f"BALENA_{name}"]) == (name, value, value)
    assert env["RESIN"] == env["BALENA"] == "1"
    assert len(env["RESIN_DEVICE_UUID"]) == 32 and env["BALENA_DEVICE_UUID"] == env["RESIN_DEVICE_UUID"]
    assert "RESIN_DEVICE_TYPE" in env and "BALENA_DEVICE_TYPE" in env


def test_the_container_gets_its_folders_and_nothing_else_of_the_host(networked: Supervisor) -> None:
    container = networked.engine.running(target.APP)
    binds = {mount["Destination"]: mount["Source"] for mount in container["Mounts"]}
    lock = str(networked.lock_folder())
    assert binds == {"/data": str(networked.data_folder()), "/tmp/balena": lock, "/tmp/resin": lock}
    assert container["HostConfig"]["Privileged"] is False
    assert container["HostConfig"]["RestartPolicy"]["Name"] == "always"
    labels = container["Config"]["Labels"]
    assert labels["io.supervisor.app-id"] == str(target.APP)
    assert labels["io.supervisor.service-name"] == target.SERVICE
    assert labels["io.supervisor.commit"] == target.commit("a")
    assert labels["io.supervisor.config"]


CALLS = [
    ("wget", "restart", wget("/v1/restart", json.dumps({"appId": target.APP}))),
    ("netcat", "restart", netcat("/v1/restart", json.dumps({"appId": target.APP}))),
    ("wget", "purge", wget("/v1/purge", json.dumps({"appId": target.APP}))),
    ("netcat", "purge", netcat("/v1/purge", json.dumps({"appId": target.APP}))),
    ("wget", "stop", wget(f"/v1/apps/{target.APP}/stop", "{}")),
    ("netcat", "stop", netcat(f"/v1/apps/{target.APP}/stop", "{}")),
]


@pytest.mark.parametrize(("client", "operation", "script"), CALLS, ids=[f"{one}-{two}" for one, two, _ in CALLS])
def test_an_operation_on_its_own_app_completes_though_the_connection_dies(
    networked: Supervisor, client: str, operation: str, script: str
) -> None:
    engine = networked.engine
    before = engine.running(target.APP)["Id"]
    engine.shell(before, "echo x > /data/file")
    engine.execute(before, ["/bin/sh", "-c", script])
    if operation == "stop":
        wait_until(lambda: not engine.container(target.APP)["State"]["Running"], 15, "the app is stopped")
        assert engine.container(target.APP)["Id"] == before
        again = networked.api("POST", f"/v1/apps/{target.APP}/start")
        assert (again.status, again.json["containerId"]) == (200, before)
    elif operation == "restart":
        wait_until(lambda: engine.running(target.APP)["Id"] != before, 15, "there is a new container")
        assert engine.shell(engine.running(target.APP)["Id"], "cat /data/file") == "x"
    else:
        wait_until(lambda: not (networked.data_folder() / "file").exists(), 15, "/data is empty")
        wait_until(lambda: engine.running(target.APP), 15, "the app runs again")
        assert list(networked.data_folder().iterdir()) == []
    networked.wait_settled(release="a")


@pytest.mark.parametrize("operation", ["restart", "purge"])
def test_an_app_whose_first_process_asks_is_served_too(supervisor: Supervisor, operation: str) -> None:
    """The caller is process 1 of the container: it is told to end while it waits for the answer."""
    mark = supervisor.root / "asked"
    mark.mkdir()
    mark.chmod(0o777)
    call = wget(f"/v1/{operation}", json.dumps({"appId": target.APP}))
    script = f"mkdir /mark/once 2>/dev/null && {{ touch /data/file; {call}; }}; exec /bin/sh /app/main"
    supervisor.write_target(target.app(command=["/bin/sh", "-c", script], volumes=[f"{mark}:/mark"], stop_grace_period="2s"))
    since = time.time()
    supervisor.start()
    engine = supervisor.engine

    def twice() -> bool:
        starts = [e for e in engine.events(since, time.time(), target.APP) if e["Action"] == "start"]
        return len(starts) == 2 and bool(engine.running(target.APP))

    wait_until(twice, 30, "the app has begun twice")
    supervisor.wait_settled(release="a")
    assert (supervisor.data_folder() / "file").exists() == (operation == "restart")


def test_an_app_that_stops_itself_runs_again_after_a_supervisor_restart(running: Supervisor) -> None:
    before = running.engine.running(target.APP)["Id"]
    running.engine.execute(before, ["/bin/sh", "-c", wget(f"/v1/apps/{target.APP}/stop", "{}")])
    wait_until(lambda: not running.engine.container(target.APP)["State"]["Running"], 15, "the app is stopped")
    running.restart()
    assert running.wait_settled(release="a")["Id"] == before


def test_a_client_that_hangs_up_changes_nothing_about_the_operation(running: Supervisor) -> None:
    from harness.wire import Connection, request

    before = running.engine.running(target.APP)["Id"]
    body = json.dumps({"appId": target.APP}).encode()
    with Connection(running.address) as connection:
        connection.send(request("POST", f"/v1/restart?apikey={running.key}", [], body))
    wait_until(lambda: running.engine.running(target.APP)["Id"] != before, 15, "there is a new container")
    running.wait_settled(release="a")


def test_a_service_with_a_user_of_its_own_writes_to_its_data_and_its_lock(supervisor: Supervisor) -> None:
    supervisor.write_target(target.app(user="1234"))
    supervisor.start()
    container = supervisor.wait_settled(release="a")
    script = "id -u; echo x > /data/file; : > /tmp/balena/updates.lock; ls /tmp/resin"
    assert supervisor.engine.shell(container["Id"], script) == "1234\nupdates.lock"
    assert supervisor.api("POST", "/v1/restart", {"appId": target.APP}).status == 423
