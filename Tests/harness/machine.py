"""A whole machine, driven through scripts/device and scripts/board as anybody would."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from dataclasses import dataclass
from typing import Any, Sequence

from .paths import MACHINE_ROOT, REPOSITORY
from .waiting import wait_until

APP = 1000001
PORT = 48484
#: The board's, in the class of the kernel's LEDs.
LED = "/sys/class/leds/input0::capslock"


@dataclass
class Answer:
    """What came back over HTTP. Status 0: no answer; `error` is then curl's exit status (7: refused, 28: time-out)."""

    status: int
    body: str
    error: int = 0

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Done:
    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return (self.out + self.err).strip()


class Machine:
    """One machine by name. `kind` is device or board."""

    def __init__(self, name: str, kind: str = "device") -> None:
        self.name = name
        self.kind = kind

    # ---- the script

    def script(self, *words: str, timeout: float = 120, check: bool = True, **options: Any) -> Done:
        done = subprocess.run(
            [str(REPOSITORY / "scripts" / self.kind), words[0], "--name", self.name, *words[1:]],
            stdin=options.pop("stdin", subprocess.DEVNULL) if "input" not in options else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            **options,
        )
        result = Done(done.returncode, done.stdout, done.stderr)
        assert not check or result.status == 0, f"{words}: status {result.status}: {result.said}"
        return result

    def up(self, *words: str) -> float:
        """Starts it and returns the seconds that took."""
        begin = time.monotonic()
        self.script("up", *words, timeout=600)
        return time.monotonic() - begin

    def down(self) -> None:
        self.script("down", timeout=180)

    def reset(self) -> None:
        self.script("reset", timeout=180)

    @property
    def status(self) -> dict[str, Any]:
        return json.loads(self.script("status", "--json").out)

    @property
    def facts(self) -> dict[str, Any]:
        """What the script has written down about it."""
        return json.loads((MACHINE_ROOT / self.kind / self.name / "state.json").read_text())

    def wait_state(self, state: str, seconds: float = 60, boots: int | None = None) -> dict[str, Any]:
        def arrived() -> dict[str, Any] | None:
            status = self.status
            return status if status["state"] == state and (boots is None or status["boots"] == boots) else None

        return wait_until(arrived, seconds, f"{self.name} is {state}, boots {boots}")

    # ---- on it

    def run(self, *command: str, user: str | None = None, timeout: float = 60, **options: Any) -> Done:
        """Runs a command on it; what it ends with is the caller's to look at."""
        words = ["runuser", "-u", user, "--", *command] if user else list(command)
        return self.script("exec", "--", *words, timeout=timeout, check=False, **options)

    def run_each(
        self, commands: Sequence[Sequence[str]], user: str | None = None, timeout: float = 180
    ) -> list[Done]:
        """Runs commands one after the other in one go, as a board takes its time for every errand.

        What one ends with says nothing about the others. `out` has what it printed to either output.
        """
        script = "\n".join(
            f"said=$({shlex.join(words)} </dev/null 2>&1); printf '%s\\0%s\\0' $? \"$said\"" for words in commands
        )
        done = self.run("bash", "-c", script, user=user, timeout=timeout)
        parts = done.out.split("\0")[:-1]
        assert len(parts) == 2 * len(commands), f"status {done.status}: {done.said}"
        return [Done(int(status), said, "") for status, said in zip(parts[::2], parts[1::2])]

    def sh(self, script: str, timeout: float = 60) -> str:
        """Runs a shell script on it that has to succeed, and returns what it printed."""
        done = self.run("bash", "-c", script, timeout=timeout)
        assert done.status == 0, f"{script}: status {done.status}: {done.said}"
        return done.out.strip()

    def write(self, path: str, text: str, owner: str = "root:root", mode: str = "644") -> None:
        """Writes a file as a careful program does, by rename."""
        new = shlex.quote(path + ".new")
        put = f"printf %s {shlex.quote(text)} >{new} && chown {owner} {new} && chmod {mode} {new}"
        self.sh(f"mkdir -p {shlex.quote(os.path.dirname(path))} && {put} && mv {new} {shlex.quote(path)}")

    @property
    def boot_id(self) -> str:
        return self.sh("cat /proc/sys/kernel/random/boot_id")

    def journal(self, *words: str) -> str:
        return self.run("journalctl", "--no-pager", "-o", "cat", *words).out

    def show(self, unit: str, property: str) -> str:
        return self.sh(f"systemctl show -P {property} {shlex.quote(unit)}")

    def pid(self, unit: str = "device-supervisor.service") -> int:
        return int(self.show(unit, "MainPID"))

    # ---- the API, from the machine itself

    @property
    def key(self) -> str:
        return self.sh("cat /var/lib/device-supervisor/api-key")

    def api(
        self, method: str, path: str, body: object = None, *, host: str = "127.0.0.1", seconds: float = 60
    ) -> Answer:
        """Asks over the interface that `host` is on. The key is given in a file that curl reads from its input."""
        config = [
            f'url = "http://{host}:{PORT}{path}"',
            f'request = "{method}"',
            f'header = "Authorization: Bearer {self.key}"',
            f'max-time = "{seconds:g}"',
            'write-out = "\\n%{http_code}"',
        ]
        if body is not None:
            text = json.dumps(body).replace("\\", "\\\\").replace('"', '\\"')
            config += ['header = "Content-Type: application/json"', f'data = "{text}"']
        script = "curl -s -K - <<'END'\n" + "\n".join(config) + "\nEND"
        done = self.run("bash", "-c", script, timeout=seconds + 30)
        text, _, status = done.out.rpartition("\n")
        return Answer(int(status or 0), text, done.status)

    def pings(self) -> bool:
        answer = self.api("GET", "/ping", seconds=5)
        return (answer.status, answer.body) == (200, "OK")

    def wait_pings(self, seconds: float = 30) -> None:
        wait_until(self.pings, seconds, "GET /ping says OK")

    def is_settled(self) -> bool:
        """The API answers and the demo app runs; asked in one go."""
        script = (
            f"printf 'url = http://127.0.0.1:{PORT}/ping\nheader = \"Authorization: Bearer %s\"' "
            "\"$(cat /var/lib/device-supervisor/api-key)\" | curl -s -m 3 -K - && echo && "
            f"docker ps -q --filter label=io.supervisor.app-id={APP}"
        )
        lines = self.run("bash", "-c", script).out.split()
        return lines[:1] == ["OK"] and len(lines) == 2

    def plugin(self, name: str) -> dict[str, Any]:
        """What the supervisor says about one plugin."""
        plugins = json.loads(self.sh("curl -s --unix-socket /run/device-supervisor/control.sock http://c/control/plugins"))
        (found,) = [plugin for plugin in plugins if plugin["name"] == name]
        return found

    # ---- its app

    def container(self, service: str = "main", app: int = APP) -> dict[str, Any] | None:
        """The inspection of the app's container that runs."""
        labels = f"--filter label=io.supervisor.app-id={app}"
        ids = self.sh(f"docker ps -q --no-trunc {labels}").split()
        found = [json.loads(self.sh(f"docker inspect {id}"))[0] for id in ids]
        found = [each for each in found if each["State"]["Running"] and each["Name"].startswith(f"/{service}_")]
        return found[0] if found else None

    def wait_app(self, seconds: float = 60, service: str = "main") -> dict[str, Any]:
        return wait_until(lambda: self.container(service), seconds, "the app's container runs")

    def in_app(self, script: str, service: str = "main", detach: bool = False) -> str:
        """Runs a shell script inside the app's container."""
        id = self.wait_app(service=service)["Id"]
        return self.sh(f"docker exec {'-d' if detach else ''} {id} /bin/sh -c {shlex.quote(script)}")

    def app_asks(self, method: str, path: str, body: object = None, service: str = "main", wait: bool = True) -> str:
        """What an app gets when it asks its supervisor with nothing but netcat: the answer as it came."""
        text = "" if body is None else json.dumps(body)
        script = (
            f"body={shlex.quote(text)}; "
            f'printf "{method} {path}?apikey=%s HTTP/1.0\\r\\nContent-Length: %s\\r\\n\\r\\n%s" '
            '"$RESIN_SUPERVISOR_API_KEY" "${#body}" "$body" '
            '| nc "$RESIN_SUPERVISOR_HOST" "$RESIN_SUPERVISOR_PORT"'
        )
        return self.in_app(script, service, detach=not wait)

    def write_target(self, target: dict[str, Any]) -> None:
        self.write("/var/lib/device-supervisor/apps.json", json.dumps(target), "device-supervisor:device-supervisor")


def demo_target(network_mode: str = "host", commit: str = "1" * 40, **environment: str) -> dict[str, Any]:
    """The demo app, as the machine has it from the start."""
    text = (REPOSITORY / "examples/demo-apps.json").read_text()
    text = text.replace("@APP@", str(APP)).replace("@NETWORK@", network_mode).replace("@COMMIT@", commit)
    target = json.loads(text)
    target["apps"][str(APP)]["services"]["1"]["environment"].update(environment)
    return target



class Neighbour:
    """A network namespace of its own on the outside of a machine, with an address in the machine's network."""

    def __init__(self, machine: Machine, name: str, host: int) -> None:
        facts = machine.facts
        self.name = name
        network = facts["address"].rpartition(".")[0]
        self.address = f"{network}.{host}"
        self.address6 = facts["address6"].rpartition("::")[0] + f"::{host:x}"
        link = f"n{facts['outside']}-{host}"
        self._must("ip", "netns", "add", name)
        # The machine remembers who has an address: the next neighbour of that address has the same hardware address.
        peer = ["peer", "name", "eth0", "address", f"02:86:00:00:00:{host:02x}", "netns", name]
        self._must("ip", "link", "add", link, "type", "veth", *peer)
        self._must("ip", "link", "set", link, "master", facts["bridge"], "up")
        self.ip("link", "set", "lo", "up")
        self.ip("link", "set", "eth0", "up")
        self.ip("address", "add", f"{self.address}/24", "dev", "eth0")
        self.ip("-6", "address", "add", f"{self.address6}/64", "dev", "eth0", "nodad")
        self.processes: list[subprocess.Popen[str]] = []

    @staticmethod
    def _must(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def ip(self, *words: str) -> str:
        return self._must("ip", "-n", self.name, *words)

    def run(self, *command: str, timeout: float = 60) -> Done:
        words = ["ip", "netns", "exec", self.name, *command]
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *command: str) -> subprocess.Popen[str]:
        words = ["setpriv", "--pdeathsig", "KILL", "--", "nsenter", f"--net=/run/netns/{self.name}", "--", *command]
        process = subprocess.Popen(words, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.processes.append(process)
        return process

    def curl(self, url: str, seconds: float = 5) -> Answer:
        done = self.run("curl", "-s", "-g", "-m", f"{seconds:g}", "-w", "\n%{http_code}", url)
        text, _, status = done.out.rpartition("\n")
        return Answer(int(status or 0), text, done.status)

    def remove(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        subprocess.run(["ip", "netns", "delete", self.name])
