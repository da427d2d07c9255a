"""Fixtures of the tests on whole machines: a device that most tests share, and machines of a test's own.

Nothing on them is simulated: the host has its own systemd, logind, hostnamed, polkit and docker.
"""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

# A failed assertion in these shows its values, as one in a test does.
pytest.register_assert_rewrite("harness.reporting")

from harness.machine import Machine, Neighbour, demo_target  # noqa: E402
from harness.proxied import DIRECT, PROXIED, SERVER, World  # noqa: E402
from harness.reporting import note_measured, refuse_skip  # noqa: E402
from harness.waiting import wait_until  # noqa: E402

pytest_plugins = ["harness.reporting"]
_serial = itertools.count(1)
_failed = pytest.StashKey[bool]()
#: What tests of both kinds of machine run on.
KINDS = ["device"] if os.environ.get("SUPERVISOR_TEST_BOARD") == "0" else ["device", "board"]


def pytest_configure() -> None:
    if os.environ.get("SUPERVISOR_TEST_SANDBOX") != "1":
        pytest.exit("start it as scripts/device-test: it boots machines and needs a sandbox", 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The board comes last: emulated, it takes time from everything else. Its own tests end with its power-off."""

    def rank(item: pytest.Item) -> tuple[bool, bool]:
        callspec = getattr(item, "callspec", None)
        own = "shared_board" in getattr(item, "fixturenames", ())
        return own or (callspec is not None and callspec.params.get("machine") == "board"), own

    items.sort(key=rank)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    # A suite that skipped everything for want of packages has shown nothing.
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter is not None and not reporter.stats.get("passed"):
        session.exitstatus = 1


@pytest.fixture(scope="session")
def new_machine() -> Iterator[Callable[..., Machine]]:
    """Makes machines; each is forgotten with the session."""
    made: list[Machine] = []

    def make(name: str, kind: str = "device") -> Machine:
        machine = Machine(name, kind)
        made.append(machine)
        return machine

    yield make
    for machine in made:
        machine.reset()


@pytest.fixture(scope="session")
def shared_device(new_machine: Callable[..., Machine]) -> Machine:
    """A device that is booted once. Who reboots it waits until it is back."""
    device = new_machine("shared")
    took = device.up()
    note_measured(f"up of a new device: {took:.1f} s until its API answered")
    return device


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    refuse_skip(report)
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed


@pytest.fixture
def bare(shared_device: Machine, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The shared device, whether packages are on it or not. Its journal shows when a test fails."""
    if shared_device.status["state"] != "running":
        shared_device.up()
    yield from _shown_when_it_fails(shared_device, request)


def _shown_when_it_fails(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Machine]:
    begin = time.time()
    yield machine
    if request.node.stash.get(_failed, False):
        print(machine.script("logs", check=False).out[-12000:], f"(the test began at {time.ctime(begin)})")


@pytest.fixture
def device(bare: Machine) -> Machine:
    """The shared device with the packages, its API answering and the demo app running."""
    if not bare.facts["packages"]:
        pytest.skip("no packages: make deb builds them")
    if not bare.is_settled():
        bare.wait_pings()
        bare.wait_app()
    return bare


@pytest.fixture
def bridged(device: Machine) -> Iterator[Machine]:
    """The same with the demo app on the engine's bridge."""
    device.write_target(demo_target("bridge", "2" * 40))
    _wait_network(device, "bridge")
    yield device
    device.write_target(demo_target())
    _wait_network(device, "host")


def _wait_network(device: Machine, mode: str) -> None:
    def runs() -> bool:
        container = device.container()
        return container is not None and container["HostConfig"]["NetworkMode"] == mode

    wait_until(runs, 60, f"the app runs with network mode {mode}")


@pytest.fixture
def own_device(new_machine: Callable[..., Machine]) -> Iterator[Machine]:
    """A device for one test that does not leave it as it was."""
    device = new_machine(f"own{next(_serial)}")
    yield device
    device.reset()


@pytest.fixture
def neighbour(bare: Machine) -> Iterator[Callable[[str], Neighbour]]:
    """Makes network namespaces beside the shared device."""
    made: list[Neighbour] = []

    def make(name: str) -> Neighbour:
        made.append(Neighbour(bare, name, 10 + len(made)))
        return made[-1]

    yield make
    for each in made:
        each.remove()


@pytest.fixture
def world(bridged: Machine, neighbour: Callable[[str], Neighbour], tmp_path: Path) -> Iterator[World]:
    server, proxy = neighbour("server"), neighbour("proxy")
    for address in (PROXIED, DIRECT):
        server.ip("address", "add", f"{address}/32", "dev", "lo")
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    server.start("/usr/bin/python3", str(script))
    proxy.ip("route", "add", "default", "via", server.address)
    bridged.sh(
        f"sed -i /^GATEWAY/d /etc/machine/network; echo GATEWAY={server.address} >>/etc/machine/network;"
        f"ip route replace default via {server.address}"
    )
    world = World(bridged, server, proxy)
    own = bridged.facts["address"]
    wait_until(lambda: world.host_seen_as(PROXIED) == own, 10, "the server answers directly")
    assert world.app_seen_as(PROXIED) == own
    yield world
    if bridged.status["state"] == "running":
        bridged.api("PATCH", "/v1/device/host-config", {"network": {"proxy": None}})
        bridged.sh("sed -i /^GATEWAY/d /etc/machine/network; ip route del default")


@pytest.fixture(scope="session")
def shared_board(new_machine: Callable[..., Machine]) -> Machine:
    board = new_machine("board", "board")
    took = board.up()
    note_measured(f"up of the board in QEMU: {took:.0f} s until its API answered")
    return board


@pytest.fixture
def bare_board(shared_board: Machine, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The board, whether packages are on it or not."""
    if shared_board.status["state"] != "running":
        shared_board.up()
    yield from _shown_when_it_fails(shared_board, request)


@pytest.fixture
def board(bare_board: Machine) -> Machine:
    """The board with the packages, its API answering."""
    if not bare_board.facts["packages"]:
        pytest.skip("no packages: make deb builds them")
    bare_board.wait_pings(120)
    return bare_board


@pytest.fixture(params=KINDS)
def machine(request: pytest.FixtureRequest) -> Machine:
    """The shared device, then the board."""
    return request.getfixturevalue(request.param)
