"""A container engine of the suite's own, and a client for it that shares nothing with ours."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from .processes import Process, must, run
from .waiting import wait_until

#: Debian's own command line client; another one may come first in PATH.
DOCKER = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else "docker"
APP_LABEL = "io.supervisor.app-id"
SERVICE_LABEL = "io.supervisor.service-name"


class EngineError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("engine", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def nanoseconds(text: str) -> int:
    """A time stamp of the engine (RFC 3339 with up to nine digits), as nanoseconds since 1970."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    whole = int(datetime.fromisoformat(seconds + "+00:00").timestamp())
    return whole * 1_000_000_000 + int((fraction + "000000000")[:9])


class Engine:
    """dockerd with folders of its own, and the Docker Engine API over its socket."""

    def __init__(
        self,
        root: Path,
        group: str | None = None,
        bridge: str | None = "docker0",
        options: tuple[str, ...] = (),
    ) -> None:
        self.root = root
        self.socket = root / "docker.sock"
        self.pid_file = root / "docker.pid"
        self.group = group
        #: The default bridge: docker0 is made by the engine itself; one of another name is made here and shares the
        #: machine with it. None = without (and such an engine removes the docker0 of another one).
        self.bridge = bridge
        self.options = options
        self.process: Process | None = None
        root.mkdir(parents=True, exist_ok=True)

    # ---- the daemon

    def spawn(self) -> None:
        """Starts the daemon without waiting for it."""
        # A daemon that was killed leaves its file, and the pid in it may be in use by another process by now.
        self.pid_file.unlink(missing_ok=True)
        networking: tuple[str, ...] = ()
        if self.bridge is None:
            networking = ("--bridge=none", "--iptables=false")
        elif self.bridge != "docker0":
            networking = (f"--bridge={self.bridge}", "--iptables=false")
            self._make_bridge()
        command = [
            "dockerd",
            "--data-root", self.root / "data",
            "--exec-root", self.root / "exec",
            "--pidfile", self.pid_file,
            "-H", f"unix://{self.socket}",
            *(("-G", self.group) if self.group else ()),
            *networking,
            *self.options,
        ]  # fmt: skip
        self.process = Process(command, self.root / "dockerd.log")

    def _make_bridge(self) -> None:
        assert self.bridge
        if run(["ip", "link", "show", self.bridge]).returncode == 0:
            return
        must(["ip", "link", "add", self.bridge, "type", "bridge"])
        number = sum(self.bridge.encode()) % 200 + 20
        must(["ip", "addr", "add", f"10.213.{number}.1/24", "dev", self.bridge])
        must(["ip", "link", "set", self.bridge, "up"])

    def start(self, deadline: float = 40) -> None:
        """After a kill, dockerd gives up on a containerd that is slow to answer. A service manager starts it again."""
        for attempts_left in (2, 1, 0):
            self.spawn()
            try:
                return self.wait(deadline)
            except SystemError:
                if not attempts_left:
                    raise

    def wait(self, deadline: float = 40) -> None:
        process = self.process
        assert process

        def answers() -> bool:
            if not process.running:
                raise SystemError(f"dockerd ended with {process.popen.returncode}:\n{process.tail()}")
            return self.call("GET", "/_ping")[0] == 200

        wait_until(answers, deadline, "dockerd answers")

    def stop(self, timeout: float = 40) -> None:
        if self.process:
            self.process.stop(timeout)
            self.process = None

    def kill(self) -> None:
        """kill -9: containers and containerd go on without it."""
        if self.process:
            self.process.kill()
            self.process = None

    # ---- the API

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> tuple[int, bytes]:
        """One request; a body that is not bytes goes as JSON."""
        connection = _UnixConnection(str(self.socket), timeout)
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path + (f"?{urlencode(query)}" if query else ""), body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def ask(self, method: str, path: str, *arguments: Any, **options: Any) -> Any:
        """As `call`, but raises EngineError for a failure and decodes JSON."""
        status, data = self.call(method, path, *arguments, **options)
        if status >= 400:
            try:
                message = json.loads(data)["message"]
            except (ValueError, KeyError):
                message = data.decode(errors="replace")
            raise EngineError(status, message)
        return json.loads(data) if data[:1] in (b"{", b"[") else data

    # ---- containers

    def containers(self, app: int | None = None, all: bool = True) -> list[dict[str, Any]]:
        """Containers of one app, or those of every app."""
        label = APP_LABEL if app is None else f"{APP_LABEL}={app}"
        query = {"all": int(all), "filters": json.dumps({"label": [label]})}
        return self.ask("GET", "/containers/json", None, query)

    def container(self, app: int) -> dict[str, Any]:
        """The one container of an app, inspected; an assertion fails unless there is exactly one."""
        found = self.containers(app)
        assert len(found) == 1, f"{len(found)} containers of app {app}: {[c['Names'] for c in found]}"
        return self.inspect(found[0]["Id"])

    def inspect(self, container: str) -> dict[str, Any]:
        return self.ask("GET", f"/containers/{container}/json")

    def running(self, app: int) -> dict[str, Any]:
        """As `container`, and it has to run."""
        container = self.container(app)
        assert container["State"]["Running"], f"app {app} does not run: {container['State']}"
        return container

    def services(self, app: int) -> dict[str, dict[str, Any]]:
        """The containers of an app, inspected, by service; an assertion fails where a service has two."""
        found: dict[str, dict[str, Any]] = {}
        for container in self.containers(app):
            name = container["Labels"][SERVICE_LABEL]
            assert name not in found, f"{name} has two containers: {found[name]['Name']}, {container['Names']}"
            found[name] = self.inspect(container["Id"])
        return found

    def of_service(self, app: int, service: str) -> list[dict[str, Any]]:
        """The containers of one service, inspected, the oldest first."""
        label = {"label": [f"{APP_LABEL}={app}", f"{SERVICE_LABEL}={service}"]}
        found = self.ask("GET", "/containers/json", None, {"all": 1, "filters": json.dumps(label)})
        return sorted((self.inspect(each["Id"]) for each in found), key=lambda each: each["Created"])

    # ---- networks and volumes

    def networks(self, app: int | None = None) -> dict[str, dict[str, Any]]:
        """The networks of one app, or of every app, inspected, by their names at the engine."""
        label = APP_LABEL if app is None else f"{APP_LABEL}={app}"
        found = self.ask("GET", "/networks", None, {"filters": json.dumps({"label": [label]})})
        return {each["Name"]: self.ask("GET", f"/networks/{each['Id']}") for each in found}

    def volumes(self, app: int | None = None) -> dict[str, dict[str, Any]]:
        """The volumes of one app, or of every app, by their names at the engine."""
        label = APP_LABEL if app is None else f"{APP_LABEL}={app}"
        found = self.ask("GET", "/volumes", None, {"filters": json.dumps({"label": [label]})})
        return {each["Name"]: each for each in found["Volumes"] or []}

    def remove(self, container: str) -> None:
        self.ask("DELETE", f"/containers/{container}", None, {"force": 1, "v": 1})

    def remove_all(self) -> None:
        """Removes every container there is, every network that the engine did not bring, and every volume."""
        for container in self.ask("GET", "/containers/json", None, {"all": 1}):
            try:
                self.remove(container["Id"])
            except EngineError as error:
                if error.status not in (404, 409):
                    raise
        for network in self.ask("GET", "/networks", None, {"filters": json.dumps({"type": ["custom"]})}):
            self.call("DELETE", f"/networks/{network['Id']}")
        for volume in self.ask("GET", "/volumes")["Volumes"] or []:
            self.call("DELETE", f"/volumes/{volume['Name']}", None, {"force": 1})

    def execute(self, container: str, command: list[str], timeout: float = 30) -> tuple[int | None, str]:
        """Runs a command in a container and returns its status and output; None if the container died under it."""
        made = self.ask(
            "POST",
            f"/containers/{container}/exec",
            {"AttachStdout": True, "AttachStderr": True, "Cmd": command},
        )
        _, data = self.call("POST", f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False}, timeout=timeout)
        output = b""
        # Eight bytes before each piece: stream, three zeros, length.
        while len(data) >= 8:
            length = int.from_bytes(data[4:8], "big")
            output += data[8 : 8 + length]
            data = data[8 + length :]
        try:
            status = self.ask("GET", f"/exec/{made['Id']}/json")["ExitCode"]
        except EngineError:
            status = None
        return status, output.decode(errors="replace")

    def shell(self, container: str, script: str, timeout: float = 30) -> str:
        """Runs a shell script in a container, which has to succeed."""
        status, output = self.execute(container, ["/bin/sh", "-c", script], timeout)
        assert status == 0, f"status {status}: {output}"
        return output.strip()

    def logs(self, container: str) -> str:
        done = self.docker("logs", container)
        return done.stdout + done.stderr

    # ---- images

    def image(self, name: str) -> dict[str, Any] | None:
        try:
            return self.ask("GET", f"/images/{quote(name, safe='/:@')}/json")
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def import_image(self, archive: bytes, name: str, changes: list[str]) -> None:
        """An image from a tar archive, without a registry."""
        repository, tag = name.rsplit(":", 1)
        query = [("fromSrc", "-"), ("repo", repository), ("tag", tag)] + [("changes", change) for change in changes]
        self.ask("POST", f"/images/create?{urlencode(query)}", archive, headers={"Content-Type": "application/x-tar"})
        assert self.image(name), f"{name} was not imported"

    def remove_images(self, keep: set[str]) -> None:
        """Removes every image that has none of the names to keep."""
        for image in self.ask("GET", "/images/json", None, {"all": 0}):
            names = [name for name in image["RepoTags"] or [] if name != "<none>:<none>"]
            if keep & set(names):
                continue
            try:
                self.ask("DELETE", f"/images/{image['Id']}", None, {"force": 1})
            except EngineError as error:
                if error.status not in (404, 409):
                    raise

    # ---- events, time, command line

    def events(
        self, since: float, until: float, app: int | None = None, kind: str = "container"
    ) -> list[dict[str, Any]]:
        """What happened to containers (or images, networks, volumes) between two moments (seconds since 1970)."""
        filters: dict[str, list[str]] = {"type": [kind]}
        if app is not None:
            filters["label"] = [f"{APP_LABEL}={app}"]
        query = {"since": f"{since:.9f}", "until": f"{until:.9f}", "filters": json.dumps(filters)}
        _, data = self.call("GET", "/events", None, query)
        return [json.loads(line) for line in data.splitlines() if line.strip()]

    def docker(self, *arguments: str, timeout: float = 60) -> Any:
        """Debian's command line client against this engine."""
        environment = {**os.environ, "DOCKER_CONFIG": str(self.root / "client")}
        return run([DOCKER, "-H", f"unix://{self.socket}", *arguments], timeout, env=environment)

    def gateway(self) -> str | None:
        """The host's address on the default bridge."""
        if not self.bridge:
            return None
        for line in must(["ip", "-4", "-o", "addr", "show", "dev", self.bridge]).splitlines():
            return line.split()[3].split("/")[0]
        return None

    def dispose(self) -> None:
        """Ends the daemon and everything under it."""
        if self.process and self.process.running:
            try:
                self.remove_all()
            except (OSError, EngineError):
                pass
            self.process.send(signal.SIGTERM)
            try:
                self.process.popen.wait(30)
            except Exception:
                self.process.kill()
        self._end_containerd()
        for mount in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            point = mount.split()[1]
            if point.startswith(str(self.root) + "/"):
                run(["umount", "-l", point])
        shutil.rmtree(self.root, ignore_errors=True)

    def _end_containerd(self) -> None:
        """A daemon that was killed leaves its containerd and the shims behind; they name our folder."""
        mark = str(self.root / "exec").encode()
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                if mark in (folder / "cmdline").read_bytes():
                    os.kill(int(folder.name), signal.SIGKILL)
            except OSError:
                continue
