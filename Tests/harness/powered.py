"""A device whose host can be rebooted and shut down, as far as it is concerned."""

from __future__ import annotations

from typing import Any

from .plugins import Plugins, Scripted
from .supervisor import Supervisor
from .wire import Response

#: A logind that does what it is asked for.
GOOD = {"power.status": [{"reply": {"preparing": "none"}}]}


class Powered:
    """A device that runs the demo app and has a scripted logind."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.plugins = Plugins(supervisor)
        self.logind: Scripted = self.plugins.scripted("logind")
        self.logind.script(GOOD)

    def power(self, kind: str, body: Any = None) -> Response:
        return self.supervisor.api("POST", f"/v1/{kind}", body, timeout=60)

    def asked(self) -> list[str]:
        """The operations that change something, as the plugin received them."""
        return [
            entry["method"]
            for entry in self.logind.journal
            if entry.get("event") == "received" and entry.get("method") in ("power.reboot", "power.power-off")
        ]

    def stopped(self) -> bool:
        return not self.supervisor.engine.containers(all=False)

    def runs(self, deadline: float = 20) -> None:
        self.supervisor.wait_settled(release="a", deadline=deadline)
