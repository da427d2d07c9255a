"""The real supervisor, run as an unprivileged user, in folders of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable

from . import target as targets
from .engine import Engine
from .images import listens
from .ports import free_port
from .processes import Process, must, run
from .waiting import wait_until
from .wire import Address, Connection, Response, exchange, request


@dataclass(frozen=True)
class User:
    """The user that the supervisor runs as, with the group of the engine's socket."""

    name: str
    uid: int
    gid: int
    engine_gid: int

    def command(self, *parts: str | Path) -> list[str | Path]:
        return [
            "setpriv",
            f"--reuid={self.uid}",
            f"--regid={self.gid}",
            f"--groups={self.gid},{self.engine_gid}",
            "--inh-caps=-all",
            "--no-new-privs",
            "--",
            *parts,
        ]


def new_user() -> User:
    """Makes the user as the package makes it, and a group of its own for the engine's socket."""
    must(["groupadd", "--system", "supervisor-engine"])
    must(["useradd", "--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin", "supervisor-test"])
    uid = int(must(["id", "-u", "supervisor-test"]))
    gid = int(must(["id", "-g", "supervisor-test"]))
    engine_gid = int(must(["getent", "group", "supervisor-engine"]).split(":")[2])
    return User("supervisor-test", uid, gid, engine_gid)


def binary(name: str, release: bool = False) -> Path:
    return Path(os.environ["SUPERVISOR_RELEASE_DIR" if release else "SUPERVISOR_BIN_DIR"]) / name


def make_readable(user: User, variable: str, copies: Path) -> None:
    """A checkout or a toolchain in root's home is closed to the user: then it gets copies of the programs.

    `variable` of the environment names the folder with the programs.
    """
    folder = Path(os.environ[variable])
    plugins = [file for file in sorted(folder.glob("supervisor-plugin-*")) if file.is_file() and os.access(file, os.X_OK)]
    programs = [file for name in ("device-supervisor", "superctl") if (file := folder / name).exists()] + plugins
    libraries = {
        Path(words[2])
        for program in programs
        for words in map(str.split, must(["ldd", program]).splitlines())
        if len(words) > 2 and words[2].startswith("/") and not words[2].startswith(("/lib", "/usr/lib"))
    }
    if all(run(user.command("test", "-r", file)).returncode == 0 for file in [*programs, *libraries]):
        return
    copies.mkdir()
    for file in [*programs, *libraries]:
        shutil.copy(file, copies)
    must(["chmod", "-R", "a+rX", copies])
    os.environ.update({variable: str(copies), "LD_LIBRARY_PATH": str(copies)})


def mount_tmpfs(point: Path, user: User, size: str) -> None:
    """As the unit of the lock directory mounts it."""
    point.mkdir(parents=True, exist_ok=True)
    options = f"size={size},nr_inodes=4096,mode=0755,uid={user.uid},gid={user.gid},nosuid,nodev,noexec"
    must(["mount", "-t", "tmpfs", "-o", options, "tmpfs", point])


class Supervisor:
    """Folders and configuration of one device; `start` and `kill` as often as a test likes."""

    def __init__(
        self,
        root: Path,
        engine: Engine,
        user: User,
        settings: dict[str, dict[str, str]] | None = None,
        state_size: str | None = None,
        release: bool = False,
    ) -> None:
        self.release = release
        self.root = root
        self.engine = engine
        self.user = user
        self.port = free_port()
        self.state = root / "state"
        self.run_folder = root / "run"
        self.locks = root / "locks"
        self.data = root / "data"
        self.target_file = self.state / "apps.json"
        self.config_file = root / "device-supervisor.conf"
        self.log_file = root / "supervisor.log"
        self.settings = settings or {}
        self.process: Process | None = None
        root.mkdir(parents=True)
        root.chmod(0o755)
        for folder in (self.state, self.run_folder, self.data):
            folder.mkdir()
            os.chown(folder, user.uid, user.gid)
        mount_tmpfs(self.locks, user, "1m")
        if state_size:
            mount_tmpfs(self.state, user, state_size)
        self.state.chmod(0o700)
        self.write_config()

    # ---- files

    def write_config(self, settings: dict[str, dict[str, str]] | None = None) -> None:
        """device-supervisor.conf; `settings` are added to, or replace, what every test has."""
        interfaces = f"lo {self.engine.bridge} apps" if self.engine.bridge else "lo"
        sections: dict[str, dict[str, str]] = {
            "Supervisor": {"StateDirectory": str(self.state), "RuntimeDirectory": str(self.run_folder)},
            "API": {"Port": str(self.port), "Interfaces": interfaces},
            "Engine": {"Socket": str(self.engine.socket)},
            "Applications": {"DataDirectory": str(self.data), "LockDirectory": str(self.locks)},
        }
        for extra in (self.settings, settings or {}):
            for section, values in extra.items():
                sections.setdefault(section, {}).update(values)
        text = "\n".join(
            f"[{section}]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
            for section, values in sections.items()
        )
        self.config_file.write_text(text)

    def write_target(self, *apps: dict[str, Any], config: dict[str, str] | None = None) -> None:
        self.write_target_text(json.dumps(targets.state(*apps, config=config), indent=1))

    def write_target_text(self, text: str | bytes) -> None:
        """Replaced by rename, as every careful writer does it."""
        temporary = self.target_file.with_name(".apps.json.new")
        temporary.write_bytes(text.encode() if isinstance(text, str) else text)
        temporary.chmod(0o644)
        temporary.rename(self.target_file)

    def lock_folder(self, app: int = targets.APP, service: str = targets.SERVICE) -> Path:
        """What is /tmp/balena and /tmp/resin in the container."""
        return self.locks / str(app) / service

    def data_folder(self, app: int = targets.APP) -> Path:
        return self.data / str(app)

    @property
    def key_file(self) -> Path:
        return self.state / "api-key"

    @property
    def key(self) -> str:
        """The API key, from its file; where the disk could not take it, only the control socket knows it."""
        try:
            return self.key_file.read_text()
        except FileNotFoundError:
            answer = exchange(self.control, request("GET", "/control/key"))
            assert answer.status == 200, answer
            return answer.text

    # ---- the process

    def command(self, *options: str | Path) -> list[str | Path]:
        return self.user.command(binary("device-supervisor", self.release), "--config", self.config_file, *options)

    def prepare(self) -> "subprocess.CompletedProcess[str]":
        """device-supervisor --prepare; what it says goes to the log too, as it would with a journal."""
        done = run(self.command("--prepare"), timeout=20)
        with open(self.log_file, "a") as log:
            log.write(done.stderr)
        return done

    def spawn(self, environment: dict[str, str] | None = None) -> Process:
        """Starts it without waiting."""
        assert not (self.process and self.process.running), "it runs already"
        self.process = Process(self.command(), self.log_file, environment)
        return self.process

    def start(self, prepare: bool = True, deadline: float = 10) -> None:
        """Starts it and waits until the API listens, which does not wait for the engine."""
        if prepare:
            done = self.prepare()
            assert done.returncode == 0, f"--prepare ended with {done.returncode}: {done.stderr}"
        process = self.spawn()

        def listens() -> bool:
            if not process.running:
                raise SystemError(f"the supervisor ended with {process.popen.returncode}:\n{process.tail()}")
            with Connection(("127.0.0.1", self.port), timeout=1):
                return True

        wait_until(listens, deadline, "the API listens")

    def stop(self) -> int:
        """SIGTERM, as systemd does it; returns the exit status."""
        process, self.process = self.process, None
        return process.stop(20) if process else 0

    def kill(self) -> None:
        process, self.process = self.process, None
        if process:
            process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def logged(self, text: str, deadline: float = 5) -> None:
        wait_until(lambda: text in self.log, deadline, f"the log says {text!r}:\n{self.log[-3000:]}")

    def assert_alive(self) -> None:
        assert self.process and self.process.running, f"the supervisor is gone:\n{self.log[-3000:]}"

    def dispose(self) -> None:
        self.kill()
        for point in (self.locks, self.state):
            while os.path.ismount(point):
                must(["umount", "-l", point])
        shutil.rmtree(self.root, ignore_errors=True)

    # ---- the API

    @property
    def address(self) -> Address:
        return ("127.0.0.1", self.port)

    @property
    def control(self) -> Path:
        return self.run_folder / "control.sock"

    def api(
        self,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = "",
        headers: list[tuple[str, str]] | None = None,
        timeout: float = 30,
    ) -> Response:
        """One request with the key in a header; `key` None sends none. A body that is not bytes goes as JSON."""
        headers = list(headers or [])
        if key is not None:
            headers.append(("Authorization", f"Bearer {key or self.key}"))
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.append(("Content-Type", "application/json"))
        return exchange(self.address, request(method, path, headers, body), method, timeout)

    def device(self) -> dict[str, Any]:
        answer = self.api("GET", "/v1/device")
        assert answer.status == 200, answer
        return answer.json

    def update(self, force: bool | None = None) -> None:
        answer = self.api("POST", "/v1/update", None if force is None else {"force": force})
        assert answer.status == 204, answer

    def healthy(self) -> tuple[bool, str]:
        answer = self.api("GET", "/v1/healthy", key=None)
        assert answer.status in (200, 500), answer
        return answer.status == 200, answer.text

    def control_json(self, path: str) -> Any:
        answer = exchange(self.control, request("GET", path))
        assert answer.status == 200, answer
        return answer.json

    def held_locks(self) -> list[dict[str, Any]]:
        return self.control_json("/control/locks")

    # ---- what it makes of the engine

    def settled(self, app: int = targets.APP, release: str | None = None) -> dict[str, Any]:
        """The app's one container, running, with the release that is asked for; an assertion fails otherwise."""
        container = self.engine.running(app)
        if release is not None:
            label = container["Config"]["Labels"].get("io.supervisor.commit")
            assert label == targets.commit(release), f"commit {label}"
        return container

    def wait_settled(self, app: int = targets.APP, release: str | None = None, deadline: float = 20) -> dict[str, Any]:
        """Waits until the app runs as `settled` says and the supervisor calls itself idle."""

        def settled() -> dict[str, Any]:
            self.assert_alive()
            container = self.settled(app, release)
            assert listens(container), "it does not listen to signals yet"
            device = self.device()
            assert device["status"] == "Idle" and not device["update_pending"], device
            return container

        try:
            return wait_until(settled, deadline, f"app {app} runs, release {release}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- log:\n{self.log[-4000:]}") from None

    def app_status(self, app: int = targets.APP) -> dict[str, Any]:
        """What superctl is told of one app."""
        apps = {each["appId"]: each for each in self.control_json("/control/status")["apps"]}
        assert app in apps, f"app {app} is not among {sorted(apps)}"
        return apps[app]

    def wait_services(
        self, services: Iterable[str], app: int = targets.APP, release: str | None = None, deadline: float = 30
    ) -> dict[str, dict[str, Any]]:
        """Waits until exactly these services of an app run, each in one container, and the supervisor is idle.

        Returns the containers, inspected, by service. With a release, the app has to be known to run it.
        """
        wanted = set(services)

        def settled() -> dict[str, dict[str, Any]]:
            self.assert_alive()
            found = self.engine.services(app)
            states = {name: container["State"]["Status"] for name, container in found.items()}
            assert states == {name: "running" for name in wanted}, states
            assert all(listens(container) for container in found.values()), "some do not listen to signals yet"
            device = self.device()
            assert device["status"] == "Idle" and not device["update_pending"], device
            if release is not None:
                assert self.app_status(app)["commit"] == targets.commit(release), self.app_status(app)
            return found

        try:
            return wait_until(settled, deadline, f"app {app} runs {sorted(wanted)}, release {release}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- log:\n{self.log[-4000:]}") from None

    def ctl(self, *arguments: str, timeout: float = 30) -> "subprocess.CompletedProcess[str]":
        """superctl, as root, as an operator runs it."""
        return run([binary("superctl"), *arguments, "--socket", str(self.control)], timeout)

    def send_signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send(number)
