"""From the core to a plugin and back, beside a bare echo between two processes."""

from __future__ import annotations

import time
from typing import Any

from harness import images, target
from harness.engine import Engine
from harness.plugins import OPERATIONS, Plugins, executable
from harness.supervisor import Supervisor, make_readable
from measure import ROOT, new_user
from measure_plugins import Control, there_and_back
from side_by_side import say


def run(quick: bool) -> dict[str, Any]:
    calls = 500 if quick else 5000
    user = new_user()
    make_readable(user, "SUPERVISOR_BIN_DIR", ROOT / "bin")
    engine = Engine(ROOT / "e", group="supervisor-engine")
    engine.start()
    engine.import_image(images.base_layer(), "demo:1", ['CMD ["/bin/sh", "/app/main"]', f"ENV PATH={images.PATH}"])
    supervisor = Supervisor(ROOT / "s", engine, user)
    plugins = Plugins(supervisor)
    try:
        socket = plugins.root / "tcp-ping.sock"
        plugins.activate(socket, [executable("tcp-ping")])
        settings = {"Target": f"127.0.0.1:{supervisor.port}"}
        plugins.manifest("tcp-ping", OPERATIONS["tcp-ping"], socket=socket, settings=settings, Lifecycle="persistent")
        supervisor.write_target(target.app())
        supervisor.start()
        supervisor.wait_settled(release="a")
        control = Control(supervisor)
        control.call("tcp-ping.status")
        time.sleep(1)
        say(f"{calls} calls of a plugin")
        rows = there_and_back(control, calls)
    finally:
        plugins.dispose()
        supervisor.dispose()
        engine.dispose()
    return {"values": {row.name: row.value for row in rows}}
