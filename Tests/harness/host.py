"""The host of a device under test, as scripted plugins play it."""

from __future__ import annotations

from typing import Any

from .plugins import Plugins, Scripted
from .supervisor import Supervisor

PROXY = {"type": "socks5", "ip": "proxy.example.com", "port": 8123, "login": "me", "password": "s3cret", "noProxy": ["10.1.2.3"]}


class Host:
    """A device with a scripted plugin for each operation of the contract."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.plugins = Plugins(supervisor)
        self.scripted = {
            name: self.plugins.scripted(name) for name in ("logind", "hostnamed", "redsocks", "led", "tcp-ping")
        }
        self.good()

    def good(self, proxy: dict[str, Any] | None = None, hostname: str = "device") -> None:
        scripts: dict[str, dict[str, list[dict[str, Any]]]] = {
            "logind": {"power.status": [{"reply": {"preparing": "none"}}]},
            "hostnamed": {"hostname.get": [{"reply": {"hostname": hostname}}]},
            "redsocks": {"proxy.get": [{"reply": proxy or {}}]},
            "led": {},
            "tcp-ping": {"*": [{"reply": {"enabled": True, "connected": True}}]},
        }
        for name, script in scripts.items():
            self.scripted[name].script(script)

    def fail(self, operation: str, behaviour: dict[str, Any]) -> Scripted:
        """The provider of `operation` does this to it, and is good to every other."""
        for plugin in self.scripted.values():
            if operation in plugin.operations:
                answers = {
                    "power.status": {"preparing": "none"},
                    "hostname.get": {"hostname": "device"},
                    "proxy.get": PROXY if operation == "proxy.clear" else {},
                }
                script = {name: [{"reply": answer}] for name, answer in answers.items() if name in plugin.operations}
                plugin.script({**script, operation: [behaviour]})
                return plugin
        raise KeyError(operation)
