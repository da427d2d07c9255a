"""Images that are gone, that have another content by now, or that a power cut has damaged."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from harness import images, target
from harness.registry import FailingProxy, Registry
from harness.supervisor import Supervisor
from harness.waiting import wait_until


def repush(registry: Registry, reference: str, seed: str) -> None:
    """Pushes another content under the tag of a reference."""
    repository, tag = reference.rsplit("/", 1)[1].split(":")
    layers = [images.base_layer(), images.noise_layer(2000, seed)]
    images.push(registry.address, repository, tag, layers)


def test_a_restart_of_an_app_whose_tag_was_removed_uses_the_image_of_the_container(
    supervisor: Supervisor, published
) -> None:
    image = published("gone", [1000])
    supervisor.write_target(target.app(image=image.reference))
    supervisor.start()
    before = supervisor.wait_settled(release="a", deadline=30)
    done = supervisor.engine.docker("rmi", "-f", image.reference)
    assert done.returncode == 0, done.stderr
    assert supervisor.engine.image(image.reference) is None
    answer = supervisor.api("POST", "/v1/restart", {"appId": target.APP})
    assert answer.status == 200, answer
    after = supervisor.wait_settled(release="a", deadline=30)
    assert after["Id"] != before["Id"]
    assert after["Image"] == before["Image"]


@pytest.mark.parametrize("services", [1, 2], ids=["one service", "two services"])
def test_a_tag_with_another_content_is_downloaded_with_the_next_release(
    supervisor: Supervisor, registry: Registry, published, services: int
) -> None:
    image = published(f"moving-{services}", [1000])

    def state(release: str) -> dict:
        if services == 1:
            return target.app(image=image.reference, release=release)
        both = {"main": {"image": image.reference}, "side": {"image": "demo:1"}}
        return target.several(target.APP, both, release=release)

    names = ["main", "side"][:services]
    supervisor.write_target(state("a"))
    supervisor.start()
    before = supervisor.wait_services(names, release="a", deadline=30)
    repush(registry, image.reference, f"second-{services}")
    time.sleep(1)
    supervisor.update()
    time.sleep(2)
    assert supervisor.engine.services(target.APP)["main"]["Id"] == before["main"]["Id"], "the release is the same"
    supervisor.write_target(state("b"))
    wait_until(
        lambda: supervisor.engine.services(target.APP)["main"]["Image"] != before["main"]["Image"], 20, "another content"
    )
    after = supervisor.wait_services(names, release="b", deadline=30)
    if services == 2:
        assert after["side"]["Id"] == before["side"]["Id"], "it has not changed"
    wait_until(
        lambda: supervisor.engine.call("GET", f"/images/{before['main']['Image']}/json")[0] == 404, 20, "the old one is gone"
    )
    downloads = supervisor.log.count("Downloading")
    supervisor.restart()
    supervisor.wait_services(names, release="b", deadline=30)
    assert supervisor.log.count("Downloading") == downloads, "a restart asks no registry"


def test_without_its_registry_a_new_release_uses_the_image_that_is_there_and_says_so(
    supervisor: Supervisor, proxy: FailingProxy, published
) -> None:
    image = published("offline", [1000])
    supervisor.write_target(target.app(image=image.reference))
    supervisor.start()
    supervisor.wait_settled(release="a", deadline=30)
    proxy.fail(".*", 503)
    supervisor.write_target(target.app(image=image.reference, release="b"))
    supervisor.wait_settled(release="b", deadline=60)
    state = supervisor.device()
    assert not state["update_failed"], state
    assert image.reference in state["update_warning"], state
    assert image.reference in supervisor.ctl("status").stdout


def test_an_image_that_was_not_downloaded_is_looked_for_nowhere(supervisor: Supervisor) -> None:
    supervisor.write_target(target.app())
    supervisor.start()
    supervisor.wait_settled(release="a")
    supervisor.write_target(target.app(release="b"))
    supervisor.wait_settled(release="b")
    assert "Downloading" not in supervisor.log


def damage(supervisor: Supervisor, image: str) -> None:
    """What a power cut may leave: the last layer's directory is empty."""
    layer = Path(supervisor.engine.image(image)["GraphDriver"]["Data"]["UpperDir"]).parent
    for entry in ("link", "diff", "lower"):
        path = layer / entry
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()


def test_a_damaged_image_is_downloaded_once_more(
    supervisor: Supervisor, proxy: FailingProxy, published
) -> None:
    image = published("damaged", [1000])
    supervisor.write_target(target.app(image=image.reference))
    supervisor.start()
    container = supervisor.wait_settled(release="a", deadline=30)
    engine = supervisor.engine
    supervisor.stop()
    engine.docker("rm", "-f", container["Id"])
    damage(supervisor, image.reference)

    # Without its registry nothing is taken away.
    proxy.fail(".*", 503)
    supervisor.start()
    wait_until(lambda: supervisor.device()["update_failed"], 30, "it does not start")
    time.sleep(2)
    assert engine.image(image.reference) is not None
    supervisor.stop()
    proxy.reset()
    supervisor.start()
    supervisor.wait_settled(release="a", deadline=40)
    assert "was damaged; it was removed and downloaded again" in supervisor.log
