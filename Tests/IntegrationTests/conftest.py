"""Fixtures of the black-box suite: a real engine, a real registry, the real programs.

Nothing in this folder uses our own Swift code: Python is the second implementation of everything on the wire.
"""

from __future__ import annotations

import itertools
import os
import resource
from pathlib import Path
from typing import Callable, Iterator

import pytest

# A failed assertion in these shows its values, as one in a test does.
pytest.register_assert_rewrite("harness.answers", "harness.reporting")

from harness import images, target  # noqa: E402
from harness.engine import Engine  # noqa: E402
from harness.paths import SANDBOX_ROOT  # noqa: E402
from harness.registry import FailingProxy, Registry  # noqa: E402
from harness.reporting import refuse_skip  # noqa: E402
from harness.supervisor import Supervisor, User, binary, make_readable, new_user  # noqa: E402

#: Images without a registry that are there for every test: two releases of one app.
LOCAL_IMAGES = {"demo:1", "demo:2"}
pytest_plugins = ["harness.parts", "harness.reporting"]
_serial = itertools.count(1)


def pytest_configure() -> None:
    if os.environ.get("SUPERVISOR_TEST_SANDBOX") != "1":
        pytest.exit("start it as scripts/integration-test: it runs a container engine and needs a sandbox", 4)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if all(binary(name).exists() for name in ("device-supervisor", "superctl")):
        return
    for item in items:
        if item.path.name != "test_harness.py":
            item.add_marker(pytest.mark.skip(reason=f"no programs in {os.environ.get('SUPERVISOR_BIN_DIR')}"))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    # A suite that skipped everything for want of the programs has shown nothing.
    if exitstatus == 0 and not binary("device-supervisor").exists() and session.testscollected > 0:
        names = {Path(item.location[0]).name for item in session.items}
        if names != {"test_harness.py"}:
            session.exitstatus = 1


@pytest.fixture(scope="session")
def user() -> User:
    """A user without privileges, who can read the programs."""
    user = new_user()
    for variable in ("SUPERVISOR_BIN_DIR", "SUPERVISOR_RELEASE_DIR"):
        if (Path(os.environ.get(variable, "")) / "device-supervisor").is_file():
            make_readable(user, variable, SANDBOX_ROOT / variable)
    return user


@pytest.fixture(scope="session")
def new_engine(user: User) -> Iterator[Callable[..., Engine]]:
    """Makes engines with the demo images; each ends with the session."""
    made: list[Engine] = []

    def make(**options: object) -> Engine:
        number = next(_serial)
        options.setdefault("bridge", f"bridge{number}" if made else "docker0")
        engine = Engine(SANDBOX_ROOT / f"e{number}", group="supervisor-engine", **options)  # type: ignore[arg-type]
        made.append(engine)
        try:
            engine.start()
        except SystemError:
            if not engine.bridge:
                raise
            # A machine whose kernel has no bridge or no firewall still runs everything that needs none.
            engine.bridge = None
            engine.start()
        for number, name in enumerate(sorted(LOCAL_IMAGES), 1):
            engine.import_image(images.base_layer(), name, images.changes(f"ENV IMAGE_NUMBER={number}"))
        return engine

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture(scope="session")
def shared_engine(new_engine: Callable[..., Engine]) -> Engine:
    """The engine that most tests share."""
    return new_engine()


@pytest.fixture
def engine(shared_engine: Engine, shared_device: SharedDevice) -> Engine:
    """The shared engine, with no container and no image but the demo's."""
    shared_device.end()
    shared_engine.remove_all()
    shared_engine.remove_images(LOCAL_IMAGES)
    return shared_engine


@pytest.fixture
def bridged(engine: Engine) -> Engine:
    if not engine.bridge:
        pytest.skip("this machine's engine has no bridge")
    return engine


@pytest.fixture
def checked(engine: Engine) -> str:
    """An image with a health check: what it finds is what ON_CHECK of a service's environment says."""
    engine.import_image(images.base_layer(), "checked:1", images.changes(images.HEALTHCHECK))
    return "checked:1"


@pytest.fixture(scope="session")
def shared_registry() -> Iterator[tuple[Registry, FailingProxy]]:
    registry = Registry(SANDBOX_ROOT / "registry")
    proxy = FailingProxy(registry.address)
    yield registry, proxy
    proxy.stop()
    registry.stop()


@pytest.fixture
def registry(shared_registry: tuple[Registry, FailingProxy]) -> Registry:
    return shared_registry[0]


@pytest.fixture
def proxy(shared_registry: tuple[Registry, FailingProxy]) -> Iterator[FailingProxy]:
    """What the engine pulls through; hands everything through when a test begins."""
    proxy = shared_registry[1]
    proxy.reset()
    yield proxy
    proxy.reset()


@pytest.fixture
def published(registry: Registry, proxy: FailingProxy) -> Callable[..., images.RegistryImage]:
    """Puts an image into the registry; its reference goes through the proxy.

    Each call makes other noise, so that no layer but the base is there already.
    """

    def publish(tag: str, sizes: list[int], repository: str = "demo") -> images.RegistryImage:
        mark = f"{tag}-{next(_serial)}"
        layers = [images.base_layer()] + [images.noise_layer(size, f"{mark}-{n}") for n, size in enumerate(sizes)]
        image = images.push(registry.address, repository, tag, layers)
        image.reference = f"{proxy.address}/{repository}:{tag}"
        return image

    return publish


@pytest.fixture
def new_supervisor(user: User) -> Iterator[Callable[..., Supervisor]]:
    """Makes devices on an engine; each is ended and removed with the test. Their logs show when the test fails."""
    made: list[Supervisor] = []

    def make(engine: Engine, **options: object) -> Supervisor:
        supervisor = Supervisor(SANDBOX_ROOT / f"s{next(_serial)}", engine, user, **options)  # type: ignore[arg-type]
        made.append(supervisor)
        return supervisor

    yield make
    for supervisor in made:
        print(f"--- {supervisor.log_file}\n{supervisor.log[-8000:]}")
        supervisor.dispose()


@pytest.fixture
def supervisor(engine: Engine, new_supervisor: Callable[..., Supervisor]) -> Supervisor:
    """A device that is set up and not started, with no app."""
    return new_supervisor(engine)


@pytest.fixture
def running(supervisor: Supervisor) -> Supervisor:
    """A device that runs the demo app."""
    supervisor.write_target(target.app())
    supervisor.start()
    supervisor.wait_settled(release="a")
    return supervisor


@pytest.fixture
def shipped(engine: Engine, new_supervisor: Callable[..., Supervisor]) -> Supervisor:
    """A device that runs the demo app on the release build, where there is one: for what is about time and memory.

    `release` of it tells which build it is.
    """
    there = (Path(os.environ.get("SUPERVISOR_RELEASE_DIR", "")) / "device-supervisor").is_file()
    supervisor = new_supervisor(engine, release=there)
    supervisor.write_target(target.app())
    supervisor.start()
    supervisor.wait_settled(release="a")
    return supervisor


class SharedDevice:
    """One device with the demo app for all tests that leave it as it was.

    A device takes every container of its engine for its own, so this one ends when a test wants one for itself, and the
    next test that shares gets a new one.
    """

    def __init__(self, engine: Engine, user: User) -> None:
        self.engine, self.user = engine, user
        self.device: Supervisor | None = None
        #: a test has failed with it: who knows in which state it is
        self.spoilt = False

    def get(self) -> Supervisor:
        if self.spoilt or (self.device and not (self.device.process and self.device.process.running)):
            self.end()
        if not self.device:
            self.engine.remove_all()
            self.engine.remove_images(LOCAL_IMAGES)
            self.device = Supervisor(SANDBOX_ROOT / f"s{next(_serial)}", self.engine, self.user)
            self.device.write_target(target.app(environment={"FOO": "bar"}))
            self.device.start()
            self.device.wait_settled(release="a")
        return self.device

    def end(self) -> None:
        if self.device:
            self.device.dispose()
            self.device = None
        self.spoilt = False


@pytest.fixture(scope="session")
def shared_device(shared_engine: Engine, user: User) -> Iterator[SharedDevice]:
    shared = SharedDevice(shared_engine, user)
    yield shared
    shared.end()


@pytest.fixture
def device(shared_device: SharedDevice) -> Iterator[Supervisor]:
    """The shared device. Its log of this test shows when the test fails; one that was left broken is not used again."""
    device = shared_device.get()
    before = len(device.log)
    yield device
    print(f"--- {device.log_file}\n{device.log[before:][-8000:]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    refuse_skip(report)
    shared = item.funcargs.get("shared_device")  # type: ignore[attr-defined]
    if report.failed and shared:
        shared.spoilt = True
