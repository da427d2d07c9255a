"""What is measured: a real engine, and a supervisor as a user without privileges."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from harness import images
from harness.engine import Engine
from harness.processes import must
from harness.supervisor import Supervisor, User, make_readable

ROOT = Path(os.environ.get("SUPERVISOR_TEST_ROOT", "/nonexistent"))


@contextmanager
def device(image_count: int = 1) -> Iterator[Supervisor]:
    """A supervisor that was not started yet, for as long as the block lasts. Its engine has the images demo:1 and so on,
    each different. Where the block fails, the log's end is printed.
    """
    user = new_user()
    make_readable(user, "SUPERVISOR_BIN_DIR", ROOT / "bin")
    engine = Engine(ROOT / "e", group="supervisor-engine")
    engine.start()
    for number in range(1, image_count + 1):
        changes = ['CMD ["/bin/sh", "/app/main"]', f"ENV PATH={images.PATH} IMAGE={number}"]
        engine.import_image(images.base_layer(), f"demo:{number}", changes)
    supervisor = Supervisor(ROOT / "s", engine, user)
    try:
        yield supervisor
    except BaseException:
        print(supervisor.log[-3000:], file=sys.stderr)
        raise
    finally:
        supervisor.dispose()
        engine.dispose()


def new_user() -> User:
    """The user of the core, made as the package makes it, with the group of the engine's socket."""
    must(["useradd", "--system", "--no-create-home", "--user-group", "supervisor-test"])
    must(["groupadd", "--system", "supervisor-engine"])
    number = lambda *command: int(must(command).strip().split(":")[2 if command[0] == "getent" else 0])  # noqa: E731
    return User(
        "supervisor-test",
        number("id", "-u", "supervisor-test"),
        number("id", "-g", "supervisor-test"),
        number("getent", "group", "supervisor-engine"),
    )
