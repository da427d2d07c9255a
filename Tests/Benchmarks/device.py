"""What is measured: a real engine, and a supervisor as a user without privileges."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Iterator

from harness import images
from harness.engine import Engine
from harness.paths import SANDBOX_ROOT
from harness.supervisor import Supervisor, make_readable, new_user


@contextmanager
def device(image_count: int = 1) -> Iterator[Supervisor]:
    """A supervisor that was not started yet, for as long as the block lasts. Its engine has the images demo:1 and so on,
    each different. Where the block fails, the log's end is printed.
    """
    user = new_user()
    make_readable(user, "SUPERVISOR_BIN_DIR", SANDBOX_ROOT / "bin")
    engine = Engine(SANDBOX_ROOT / "e", group="supervisor-engine")
    engine.start()
    for number in range(1, image_count + 1):
        changes = ['CMD ["/bin/sh", "/app/main"]', f"ENV PATH={images.PATH} IMAGE={number}"]
        engine.import_image(images.base_layer(), f"demo:{number}", changes)
    supervisor = Supervisor(SANDBOX_ROOT / "s", engine, user)
    try:
        yield supervisor
    except BaseException:
        print(supervisor.log[-3000:], file=sys.stderr)
        raise
    finally:
        supervisor.dispose()
        engine.dispose()
