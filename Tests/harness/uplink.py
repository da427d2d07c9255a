"""The real uplink beside a real supervisor, with a remote service of the test's."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from .cloud import Answer, Bus, Call, Cloud
from .plugins import Plugins, executable
from .processes import Process, run
from .supervisor import Supervisor, binary
from .waiting import wait_until

OPERATIONS = ["uplink.status", "uplink.register", "uplink.disconnect", "cloud.refresh", "cloud.report"]
TOKEN = "provision-0123456789"


class Uplink:
    """Its folder, its configuration and its process; root, as the tests are."""

    def __init__(self, supervisor: Supervisor, cloud: Cloud, bus: Bus | None = None, **settings: str) -> None:
        self.supervisor, self.cloud, self.bus = supervisor, cloud, bus
        self.folder = supervisor.root / "uplink"
        self.folder.mkdir()
        self.state = self.folder / "state"
        self.socket = self.folder / "plugin.sock"
        self.target_folder = self.folder / "target"
        self.target_folder.mkdir()
        # The supervisor is a member of the uplink's group.
        os.chown(self.target_folder, 0, supervisor.user.gid)
        self.target_folder.chmod(0o2750)
        #: What the service answers to polls; None for no change.
        self.wanted: Answer | None = None
        #: What the service has been told of the device.
        self.known: dict[str, Any] = {}
        self.config_file = self.folder / "uplink.conf"
        self.token_file = self.folder / "token"
        self.token_file.write_text(TOKEN + "\n")
        self.log_file = self.folder / "uplink.log"
        self.settings = settings
        self.process: Process | None = None
        self.device_key = ""
        self.write_config()
        supervisor.settings.setdefault("Applications", {})["CloudTarget"] = str(self.target_folder / "target.json")
        self.plugins = Plugins(supervisor)
        self.plugins.manifest("uplink", OPERATIONS, socket=self.socket, Lifecycle="persistent", CallTimeoutSec=90)
        cloud.answers["POST /device/register"] = self.registers
        cloud.answers["POST /bus/v1/credentials"] = self.credentials

    def write_config(self, **settings: str) -> None:
        values = {
            "Server": self.cloud.address,
            "Application": "1000001",
            "ProvisioningTokenFile": str(self.token_file),
            "StateDirectory": str(self.state),
            "TargetDirectory": str(self.target_folder),
            **self.settings,
            **settings,
        }
        lines = "".join(f"{key}={value}\n" for key, value in values.items())
        socket = self.supervisor.run_folder / "api.sock"
        self.config_file.write_text(f"[Cloud]\n{lines}[Supervisor]\nSocket={socket}\n")

    # ---- what the service answers unless a test says otherwise

    def registers(self, call: Call) -> Answer:
        body = call.json
        self.device_key = body["api_key"]
        self.cloud.answers[f"GET /device/v2/{body['uuid']}/state"] = self.target
        self.cloud.answers[f"PATCH /device/v2/{body['uuid']}/state"] = self.takes
        return Answer(201, {"id": 99, "uuid": body["uuid"], "api_key": body["api_key"]})

    def credentials(self, call: Call) -> Answer:
        if call.key != self.device_key:
            return Answer(401, {"error": "unknown"})
        servers = [self.bus.address] if self.bus else ["nats://127.0.0.1:1"]
        now = int(time.time() * 1000)
        return Answer(200, {"jwt": "a.b.c", "servers": servers, "time": now, "renewAfterSec": 3600})

    def target(self, call: Call) -> Answer:
        """As the service does, with a tag for each target."""
        if call.key != self.device_key:
            return Answer(401)
        if self.wanted is None:
            return Answer(304)
        tag = self.wanted.headers.get("ETag")
        return Answer(304) if tag and call.headers.get("if-none-match") == tag else self.wanted

    def takes(self, call: Call) -> Answer:
        if call.key != self.device_key:
            return Answer(401)
        self.known = {**self.known, **call.json["local"]}
        return Answer(200)

    @property
    def reports(self) -> list[Call]:
        return self.cloud.named(f"PATCH /device/v2/{self.identity['uuid']}/state")

    @property
    def polls(self) -> list[Call]:
        return self.cloud.named(f"GET /device/v2/{self.identity['uuid']}/state")

    # ---- the process

    def start(self, environment: dict[str, str] | None = None) -> None:
        # Under its name it has the right owner from the first moment, as a socket of systemd has.
        made = self.socket.with_suffix(".new")
        made.unlink(missing_ok=True)
        command = [executable("uplink"), "--config", self.config_file, "--socket", made]
        self.process = Process(command, self.log_file, environment)

        def listens() -> bool:
            assert self.process and self.process.running, f"the uplink has ended:\n{self.log}"
            return made.exists()

        wait_until(listens, 10, "the uplink listens")
        os.chown(made, 0, self.supervisor.user.gid)
        made.chmod(0o660)
        made.rename(self.socket)

    def stop(self) -> None:
        if self.process:
            self.process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def logged(self, text: str, deadline: float = 10) -> None:
        wait_until(lambda: text in self.log, deadline, f"the uplink logs {text!r}:\n{self.log[-3000:]}")

    def ctl(self, *words: str) -> Any:
        return run([binary("superctl"), "uplink", *words, "--socket", self.supervisor.control], timeout=60)

    @property
    def status(self) -> dict[str, Any]:
        done = self.ctl("status", "--json")
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def wait_status(self, deadline: float = 20, **expected: Any) -> dict[str, Any]:
        def there() -> dict[str, Any]:
            status = self.status
            assert expected.items() <= status.items(), f"{status}\n{self.log[-2000:]}"
            return status

        return wait_until(there, deadline, f"the uplink says {expected}")

    @property
    def identity(self) -> dict[str, Any]:
        return json.loads((self.state / "identity.json").read_text())

    @property
    def threads(self) -> int:
        assert self.process
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def dispose(self) -> None:
        self.stop()
        self.cloud.stop()
        if self.bus:
            self.bus.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
