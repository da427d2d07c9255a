"""Registries that ask for credentials, and those that fail: what the device says, and that the app runs on."""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness import images, target
from harness.engine import Engine
from harness.paths import SANDBOX_ROOT
from harness.ports import free_port
from harness.processes import must
from harness.registry import FailingProxy, Registry
from harness.supervisor import Supervisor, User
from harness.waiting import stays, wait_until

USER = "fleet"
PASSWORD = "correct-horse:battery/staple"
OTHER_PASSWORD = "another-password-altogether"
#: of the engine's disk
DISK = 48 << 20


@pytest.fixture(scope="module")
def hasty(user: User) -> Iterator[Engine]:
    """An engine that tries each layer twice at most, on a small disk, with the demo app's image."""
    engine = Engine(
        SANDBOX_ROOT / "hasty",
        group="supervisor-engine",
        bridge="hasty0",
        options=("--max-download-attempts", "1", "--max-concurrent-downloads", "1"),
    )
    data = engine.root / "data"
    data.mkdir()
    must(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0710", "tmpfs", data])
    try:
        engine.start()
        changes = ['CMD ["' + '", "'.join(images.COMMAND) + '"]', f"ENV PATH={images.PATH}"]
        engine.import_image(images.base_layer(), "demo:1", changes)
        yield engine
    finally:
        engine.dispose()


@pytest.fixture(scope="module")
def private(shared_registry: tuple[Registry, FailingProxy]) -> Iterator[Registry]:
    """A registry with the same images, for one user."""
    registry = Registry(SANDBOX_ROOT / "private", {USER: PASSWORD}, storage=SANDBOX_ROOT / "registry" / "storage")
    yield registry
    registry.stop()


@pytest.fixture
def closed(private: Registry) -> Iterator[Registry]:
    private.set_users({USER: PASSWORD})
    yield private


@dataclass
class Untouched:
    """A running app that holds its update lock, and what must not change while downloads fail."""

    device: Supervisor
    container: str
    started: str
    lock: Path
    lock_status: tuple[int, int]

    def check(self) -> None:
        container = self.device.engine.running(target.APP)
        assert container["Id"] == self.container
        assert container["State"]["StartedAt"] == self.started
        status = self.lock.stat()
        assert (status.st_ino, status.st_mtime_ns) == self.lock_status, "the app's lock"
        assert len(self.device.engine.containers(target.APP)) == 1

    def fails(self, image: str, *words: str, deadline: float = 30) -> str:
        """Asks for an image, and checks that the failure is told everywhere and changes nothing. Returns the message."""
        device = self.device
        before = len(device.log)
        device.write_target(target.app(image=image, release="b"))
        return self.told(before, *words, deadline=deadline)

    def told(self, before: int, *words: str, deadline: float = 30) -> str:
        device = self.device

        def failed() -> dict[str, Any]:
            state = device.device()
            assert state["update_failed"] and all(word in state["update_error"] for word in words), state
            return state

        state = wait_until(failed, deadline, f"the failure is told as {words}")
        error = state["update_error"]
        assert "\n" not in error
        assert (state["update_pending"], state["update_downloaded"]) == (True, False)
        assert state["commit"] == target.commit("a")

        def shown() -> bool:
            done = device.ctl("status", "--json")
            assert done.returncode == 0, done.stderr
            update = json.loads(done.stdout)["update"]
            # Asked anew: the engine may name a file of its own, another one at each attempt.
            said = device.device()["update_error"]
            assert update["failed"] and update["error"] == said and all(word in said for word in words), update
            # null while an attempt is under way.
            return 0 <= update["nextAttemptSec"] <= 60

        wait_until(shown, deadline, "the reason and the next attempt are shown")
        lines = [line for line in device.log[before:].splitlines() if "The update failed: " in line]
        assert any(all(word in line for word in words) for line in lines), f"{lines}\n{words}"
        assert device.healthy()[0], "trouble in the network makes no device unhealthy"
        self.check()
        return error

    def succeeds(self, deadline: float = 40, ask: bool = True) -> dict[str, Any]:
        """The app lets go of its lock, and the update comes; asked for, or by itself."""
        self.check()
        self.lock.unlink()
        if ask:
            self.device.update()
        container = self.device.wait_settled(release="b", deadline=deadline)
        state = self.device.device()
        assert (state["update_failed"], state["update_error"]) == (False, None)
        return container


@pytest.fixture
def app(hasty: Engine, new_supervisor: Callable[..., Supervisor]) -> Untouched:
    hasty.remove_all()
    hasty.remove_images({"demo:1"})
    device = new_supervisor(hasty)
    device.write_target(target.app())
    device.start()
    container = device.wait_settled(release="a")
    hasty.shell(container["Id"], "touch $RESIN_APP_LOCK_PATH")
    lock = device.lock_folder() / "updates.lock"
    status = lock.stat()
    return Untouched(
        device, container["Id"], container["State"]["StartedAt"], lock, (status.st_ino, status.st_mtime_ns)
    )


def encoded(password: str, user: str = USER) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def write_credentials(device: Supervisor, auths: dict[str, Any] | str, mode: int = 0o600, owner: int | None = None) -> None:
    """registries.json, replaced by rename."""
    path = device.state / "registries.json"
    temporary = path.with_name(".registries.json.new")
    temporary.write_text(auths if isinstance(auths, str) else json.dumps({"auths": auths}))
    os.chown(temporary, device.user.uid if owner is None else owner, device.user.gid)
    temporary.chmod(mode)
    temporary.rename(path)


def assert_secret(device: Supervisor, *secrets: str) -> None:
    """Neither the log nor the status has any of these, nor their usual encodings."""
    shown = [device.log, device.ctl("status").stdout, device.ctl("status", "--json").stdout, json.dumps(device.device())]
    arguments = Path(f"/proc/{device.pid}/cmdline").read_text() + Path(f"/proc/{device.pid}/environ").read_text()
    for secret in secrets:
        for form in (secret, encoded(secret)["auth"], base64.b64encode(secret.encode()).decode()):
            assert not any(form in text for text in [*shown, arguments])


def private_reference(private: Registry, image: images.RegistryImage) -> str:
    return f"{private.address}/{image.reference.split('/', 1)[1]}"


# ---- credentials


@pytest.mark.parametrize("form", ["auth", "username and password", "with scheme and path"])
def test_an_image_comes_from_a_private_registry(app: Untouched, closed: Registry, published, form: str) -> None:
    match form:
        case "auth":
            auths = {closed.address: encoded(PASSWORD)}
        case "username and password":
            auths = {closed.address: {"username": USER, "password": PASSWORD}}
        case _:
            auths = {f"http://{closed.address}/v2/": encoded(PASSWORD)}
    write_credentials(app.device, auths)
    reference = private_reference(closed, published("private", [1000]))
    app.lock.unlink()
    app.device.write_target(target.app(image=reference, release="b"))
    container = app.device.wait_settled(release="b", deadline=30)
    assert container["Config"]["Image"] == reference
    assert_secret(app.device, PASSWORD)


def test_an_image_comes_from_a_private_registry_by_its_digest(app: Untouched, closed: Registry, published) -> None:
    write_credentials(app.device, {closed.address: encoded(PASSWORD)})
    image = published("digest", [1000])
    reference = f"{closed.address}/demo@{image.digest}"
    app.lock.unlink()
    app.device.write_target(target.app(image=reference, release="b"))
    container = app.device.wait_settled(release="b", deadline=30)
    assert container["Config"]["Image"] == reference
    assert app.device.engine.image(reference)["RepoDigests"] == [reference]


def test_missing_credentials_are_told_and_count_as_soon_as_they_are_there(
    app: Untouched, closed: Registry, published
) -> None:
    reference = private_reference(closed, published("missing", [1000]))
    app.fails(
        reference,
        f"cannot download image {reference}: ",
        f"the registry {closed.address} asks for credentials, and there are none for it",
    )
    write_credentials(app.device, {closed.address: encoded(PASSWORD)})
    app.succeeds(ask=False)
    assert_secret(app.device, PASSWORD)


def test_a_password_that_was_changed_counts_with_the_next_attempt(app: Untouched, closed: Registry, published) -> None:
    write_credentials(app.device, {closed.address: encoded(PASSWORD)})
    closed.set_users({USER: OTHER_PASSWORD})
    reference = private_reference(closed, published("rotated", [1000]))
    app.fails(
        reference,
        f"cannot download image {reference}: ",
        f"the registry {closed.address} does not accept the credentials for it",
        "unauthorized",
    )
    pid = app.device.pid
    write_credentials(app.device, {closed.address: encoded(OTHER_PASSWORD)})
    app.succeeds(ask=False)
    assert app.device.pid == pid
    assert_secret(app.device, PASSWORD, OTHER_PASSWORD)


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        ("mode", "may be read or written by others (mode 0640)"),
        ("not JSON", "is damaged: line 2, column "),
        ("not Base64", "that is not USER:PASSWORD in Base64"),
        ("owner", "Permission denied; it must belong to the user of the supervisor"),
    ],
)
def test_a_file_of_credentials_that_cannot_be_used_is_told(
    app: Untouched, closed: Registry, proxy: FailingProxy, published, flaw: str, words: str
) -> None:
    device = app.device
    right = {closed.address: encoded(PASSWORD)}
    match flaw:
        case "mode":
            write_credentials(device, right, 0o640)
        case "not JSON":
            write_credentials(device, '{"auths":\n' + json.dumps(right))
        case "not Base64":
            write_credentials(device, {closed.address: {"auth": f"{USER}:{PASSWORD}"}})
        case "owner":
            write_credentials(device, right, owner=0)
    image = published("flaw-" + flaw.replace(" ", "-").lower(), [1000])
    reference = private_reference(closed, image)
    path = f"{device.state}/registries.json"
    app.fails(reference, f"the registry {closed.address} asks for credentials", path, words)
    told = [line for line in device.log.splitlines() if "Registries are used without credentials" in line]
    assert len(told) == 1 and words in told[0], told
    assert_secret(device, PASSWORD)
    if flaw == "mode":
        # What anybody may have comes all the same.
        app.lock.unlink()
        device.write_target(target.app(image=image.reference, release="c"))
        device.wait_settled(release="c", deadline=30)
    else:
        write_credentials(device, right)
        app.succeeds(ask=False)


def test_credentials_go_to_their_own_registry_alone(app: Untouched, proxy: FailingProxy, published) -> None:
    host, port = proxy.address.split(":")
    write_credentials(
        app.device,
        {f"{host}:{int(port) + 1}": encoded(PASSWORD), host: encoded(PASSWORD), "docker.io": encoded(PASSWORD)},
    )
    image = published("elsewhere", [1000])
    proxy.fail("/v2/", 401)
    app.fails(image.reference, f"the registry {proxy.address} asks for credentials, and there are none for it")
    assert proxy.requests and proxy.authorizations == []


# ---- registries that fail


def break_registry(proxy: FailingProxy, failure: str) -> None:
    match failure:
        case "401" | "403" | "404" | "429" | "500":
            proxy.fail("/manifests/", int(failure))
        case "429 for a layer":
            proxy.fail("GET .*/blobs/", 429)
        case "500 for a layer":
            proxy.fail("GET .*/blobs/", 500)
        case "404 for a layer":
            proxy.fail("GET .*/blobs/", 404)
        case "manifest":
            proxy.corrupt_manifests = True
        case "layer":
            proxy.corrupt, proxy.corrupt_from = True, 10_000
        case "configuration":
            proxy.corrupt = True
        case "cut":
            proxy.cut(after=20_000)
        case "hang up":
            proxy.hang_up = True


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("401", "asks for credentials, and there are none for it"),
        ("403", "does not have it, or not without credentials"),
        ("404", "has no such image or tag"),
        ("429", "accepts no more requests for now"),
        ("429 for a layer", "accepts no more requests for now"),
        ("500", "has failed"),
        ("500 for a layer", "has failed"),
        ("404 for a layer", "a layer of it is missing in the registry"),
        ("manifest", "is damaged, its digest does not match"),
        ("layer", "is damaged, its digest does not match"),
        ("configuration", "is damaged, its digest does not match"),
        ("cut", "broke off"),
        ("hang up", "broke off"),
    ],
)
def test_what_is_wrong_with_a_registry_is_told_in_words(
    app: Untouched, proxy: FailingProxy, published, measured, failure: str, words: str
) -> None:
    image = published("wrong-" + failure.replace(" ", "-"), [60_000])
    reference = image.reference
    if failure == "manifest":
        # Only by its digest it is known what a manifest should be.
        reference = f"{proxy.address}/demo@{image.digest}"
    break_registry(proxy, failure)
    error = app.fails(reference, f"cannot download image {reference}: ", f"the registry {proxy.address}", words)
    measured(f"{failure}: {error}")
    proxy.reset()
    assert app.succeeds()["Config"]["Image"] == reference


def test_a_registry_that_is_not_there_is_told(app: Untouched, measured) -> None:
    address = f"127.0.0.1:{free_port()}"
    error = app.fails(f"{address}/demo:1", f"nothing answers at the registry {address}")
    measured(f"closed: {error}")
    error = app.fails("registry.invalid/demo:1", "the address of the registry registry.invalid cannot be found (DNS)")
    measured(f"no name: {error}")
    error = app.fails("10.255.255.1/demo:1", "the registry 10.255.255.1 is not reachable")
    measured(f"no route: {error}")


def test_a_registry_that_takes_no_more_requests_is_not_hammered(app: Untouched, proxy: FailingProxy, published) -> None:
    image = published("busy", [1000])
    proxy.fail("/manifests/", 429)
    app.fails(image.reference, "accepts no more requests for now")
    update = lambda: app.device.control_json("/control/status")["update"]  # noqa: E731
    wait_until(lambda: (update()["nextAttemptSec"] or 0) >= 4, 60, "a long back-off")
    asked = len(proxy.requests)
    begin = time.monotonic()
    stays(lambda: len(proxy.requests) == asked, 3, "nobody asks while it backs off")
    assert time.monotonic() - begin >= 3
    app.check()


# ---- what is downloaded again


def test_the_engine_goes_on_with_a_layer_that_was_cut(running: Supervisor, proxy: FailingProxy, published, measured) -> None:
    image = published("resumed", [400_000])
    before = running.engine.running(target.APP)["Id"]
    proxy.cut(after=200_000, times=1)
    running.write_target(target.app(image=image.reference, release="b"))
    wait_until(lambda: proxy.cut_times == 0, 20, "the layer is cut")
    assert running.engine.running(target.APP)["Id"] == before
    running.wait_settled(release="b", deadline=40)
    assert not running.device()["update_failed"]
    layer = image.layers[-1]
    measured(f"a layer of 400 kB that was cut at 200 kB: {proxy.sent[layer]} bytes were sent")
    assert proxy.sent[layer] < 400_000 + 20_000, "only the rest is asked for"


def test_what_is_on_the_device_is_not_downloaded_again(app: Untouched, proxy: FailingProxy, published, measured) -> None:
    first = published("layers-1", [1000])
    app.lock.unlink()
    app.device.write_target(target.app(image=first.reference))
    container = wait_until(
        lambda: (c := app.device.settled(release="a"))["Config"]["Image"] == first.reference and c, 30, "the first image"
    )
    app.device.wait_settled(release="a")
    second = published("layers-2", [80_000, 300_000])
    base, *new = second.layers
    assert base in first.layers
    proxy.reset()
    # This engine tries a layer a second time, from where it ended.
    proxy.cut(after=100_000)
    app.device.write_target(target.app(image=second.reference, release="b"))
    wait_until(lambda: app.device.device()["update_failed"], 30, "the failure is told")
    assert app.device.engine.running(target.APP)["Id"] == container["Id"]
    failed = dict(proxy.sent)
    proxy.cut_after = None
    app.device.update()
    app.device.wait_settled(release="b", deadline=30)
    assert base not in proxy.sent, "a layer of the image that runs"
    again = [proxy.sent[layer] for layer in new]
    measured(f"layers of 80 and 300 kB: {[failed.get(layer, 0) for layer in new]} bytes up to the failure, {again} in all")


# ---- a full disk


@pytest.mark.parametrize("room", [3, 9], ids=["the download does not fit", "the layer does not fit"])
def test_a_disk_that_fills_up_is_told_and_the_app_runs_on(
    app: Untouched, proxy: FailingProxy, published, measured, room: int
) -> None:
    image = published(f"large-{room}", [6 << 20])
    data = app.device.engine.root / "data"
    status = os.statvfs(data)
    filler = data / "filler"
    filler.write_bytes(b"\0" * (status.f_bavail * status.f_frsize - (room << 20)))
    try:
        error = app.fails(
            image.reference,
            f"cannot download image {image.reference}: no space is left on the disk of the container engine: ",
        )
        measured(f"full, {room} MiB left: {error}")
        assert app.device.engine.image(image.reference) is None
    finally:
        filler.unlink()
    app.succeeds()
