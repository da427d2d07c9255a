"""From the core to a plugin and back, beside a bare echo between two processes."""

from __future__ import annotations

import time
from typing import Any

from device import device
from harness import target
from harness.plugins import OPERATIONS, Plugins, executable
from measure_plugins import Control, there_and_back
from side_by_side import say


def run(quick: bool) -> dict[str, Any]:
    calls = 500 if quick else 5000
    with device() as supervisor:
        plugins = Plugins(supervisor)
        try:
            socket = plugins.root / "tcp-ping.sock"
            plugins.activate(socket, [executable("tcp-ping")])
            settings = {"Target": f"127.0.0.1:{supervisor.port}"}
            operations = OPERATIONS["tcp-ping"]
            plugins.manifest("tcp-ping", operations, socket=socket, settings=settings, Lifecycle="persistent")
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
    return {"values": {row.name: row.value for row in rows}}
