"""One service for the tests that change nothing that others depend on; `new_fleet` makes more."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator

import pytest
import urllib3

from fleet import Device, Fleet, ok

urllib3.disable_warnings()


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    service = Fleet(tmp_path_factory.mktemp("fleet"), http="CommandTimeoutSec=2\n")
    service.application("one")
    service.application("many")
    service.application("empty")
    service.start()
    yield service
    service.stop()


@pytest.fixture
def new_fleet(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    made: list[Fleet] = []

    def make(**options: object) -> Fleet:
        (directory := tmp_path / f"fleet{len(made)}").mkdir()
        made.append(Fleet(directory, **options))
        return made[-1]

    yield make
    for service in made:
        if service.process:
            service.stop()


@pytest.fixture
def device(fleet: Fleet) -> Iterator[Device]:
    """A device of `one` that answers OK to everything."""
    made = fleet.device("one").connect(ok)
    yield made
    made.close()
