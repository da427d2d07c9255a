"""A machine by name: its folder, its keeper, and what can be done with it. Device and Board say how one boots."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator, NoReturn

from machine import layers
from machine.common import REPOSITORY, Failure, progress, run, say, wait_until
from machine.network import Outside, free_outside

API_KEY = "var/lib/device-supervisor/api-key"
#: What `records` gives of each entry of the journal, beside its time.
JOURNAL_FIELDS = ("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "UNIT", "_PID")
#: The units of the supervisor and its plugins.
OURS = re.compile(r"(device-supervisor|supervisor-plugin-)")


class Machine:
    """What a device and a board have in common.

    A machine that is up has a keeper: a process that boots it, boots it again when it reboots, and ends when it powers
    off. The keeper holds the lock of the machine's folder for as long as it lives, so nothing has to be believed that a
    killed one has left behind.
    """

    kind = "machine"
    default_board = "generic"
    #: Seconds in which it is up, without the making of layers.
    boot_seconds = 90.0

    def __init__(self, name: str) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
            raise Failure(f"a name is of a-z, 0-9 and -, at most 31 of them: {name}", 64)
        self.name = name
        self.folder = self.root() / name

    @classmethod
    def root(cls) -> Path:
        return Path(os.environ.get("SUPERVISOR_MACHINE_ROOT", REPOSITORY / ".build/machines")) / cls.kind

    @classmethod
    def all(cls) -> list[Machine]:
        root = cls.root()
        return [cls(path.name) for path in sorted(root.iterdir()) if path.is_dir()] if root.is_dir() else []

    # ---- what is known

    def read(self) -> dict[str, Any]:
        try:
            return json.loads((self.folder / "state.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def write(self, **changes: object) -> None:
        state = {**self.read(), **changes}
        new = self.folder / "state.json.new"
        new.write_text(json.dumps(state, indent=2) + "\n")
        new.rename(self.folder / "state.json")

    def is_kept(self) -> bool:
        """A keeper lives, or somebody is about to start one."""
        try:
            with open(self.folder / "lock") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True

    def status(self) -> dict[str, Any]:
        state = self.read()
        kept = self.is_kept()
        ended = "failed" if state.get("state") == "failed" else "off"
        return {
            "name": self.name,
            "state": state.get("state", "starting") if kept else ended,
            "address": state.get("address") if kept else None,
            "apiKey": self.api_key(),
            "leader": state.get("leader") if kept else None,
            "boots": state.get("boots", 0),
        }

    # ---- what a kind of machine says

    def build(self, board: str | None) -> list[Path]:
        """Makes the layers, and returns those that the machine is put together of."""
        raise NotImplementedError

    def prepare(self, board: str, outside: Outside) -> dict[str, object]:
        """Makes what a boot needs, in the folder; returns what is to be written to its state."""
        raise NotImplementedError

    def boot(self) -> Boot:
        """Starts the machine. It has the keeper for a parent and ends with it."""
        raise NotImplementedError

    def api_key(self) -> str | None:
        raise NotImplementedError

    def execute(self, command: list[str]) -> NoReturn:
        """Runs a command on the machine in place of this process."""
        raise NotImplementedError

    def output(self, command: list[str], input: str = "", seconds: float = 30) -> tuple[int, str]:
        """Runs a command on the machine; status and standard output. Status 255 when it could not be run."""
        raise NotImplementedError

    def logs(self, follow: bool) -> NoReturn:
        """Prints its journal in place of this process."""
        raise NotImplementedError

    def records(self) -> Iterator[dict[str, Any]]:
        """New entries of its journal as they come, in the form of `journalctl -o json` with JOURNAL_FIELDS."""
        raise NotImplementedError

    def clean(self, state: dict[str, Any]) -> None:
        """Removes what an ended or killed keeper has left outside of the folder."""
        # In another network namespace a bridge of that name is somebody else's.
        if state.get("netns") == namespace("net"):
            Outside(state["outside"]).remove()

    # ---- commands

    def help(self) -> str:
        """What a newcomer tries next."""
        me = f"scripts/{self.kind}"
        named = "" if self.name == self.kind else f" --name {self.name}"
        rows = [
            (f"{me} exec{named} -- superctl status", ""),
            (f"{me} exec{named} -- superctl plugins", ""),
            (f"{me} exec{named} -- superctl reboot", "the device comes back, and so does the app"),
            (f"{me} exec{named} -- bash", "a root shell on the device"),
            (f"{me} logs{named} -f", "the whole journal"),
            (f"curl http://{self.read()['address']}:8080/", "the page of the demo app"),
        ]
        width = max(len(command) for command, _ in rows)
        shown = [f"    {command:{width}}   # {what}" if what else f"    {command}" for command, what in rows]
        return "\n".join(
            [
                f"\n  {self.name} is up. Try in another terminal:\n",
                *shown,
                "\n  Ctrl-C here ends it. The log of the supervisor and its plugins follows:\n",
            ]
        )

    def settle(self) -> None:
        """Waits until the demo app runs, where the packages are there; says so when it does not."""
        if not self.read().get("packages"):
            return
        with progress("waiting for the demo app"):
            command = ["docker", "ps", "-q", "--filter", "label=io.supervisor.app-id"]
            runs = wait_until(lambda: self.output(command)[1].strip(), self.boot_seconds, 0.5)
        if not runs:
            say(f"the demo app does not run; see scripts/{self.kind} logs")

    def follow(self) -> None:
        """Prints what the supervisor and its plugins log from now on."""
        for record in self.records():
            # What systemd says about a unit has the unit's name in UNIT; that one has started or stopped is no news.
            about = record.get("UNIT", "") if record.get("PRIORITY", "") <= "4" else ""
            if OURS.match(record.get("_SYSTEMD_UNIT", "")) or OURS.match(about):
                print(line_of_journal(record), flush=True)

    def up(self, board: str | None, wait: bool = True) -> None:
        if os.geteuid() != 0:
            raise Failure(f"must be root: the {self.kind} is a machine with namespaces and interfaces of its own")
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = open(self.folder / "lock", "a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{self.name} is up already")
            if wait:
                self.wait_up(time.monotonic())
            return
        begin = time.monotonic()
        former = self.read()
        self.clean(former)
        board = board or former.get("board") or self.default_board
        if self.read():
            self.write(state="starting", leader=None)
        outside = free_outside()
        keeper: subprocess.Popen[bytes] | None = None
        try:
            facts = self.prepare(board, outside)
            # A disk on other layers than it was written on would be a mix of both.
            boots = former.get("boots", 0) if facts.get("layers") == former.get("layers") else 0
            self.write(
                kind=self.kind,
                board=board,
                state="starting",
                leader=None,
                boots=boots,
                netns=namespace("net"),
                pidns=namespace("pid"),
                outside=outside.number,
                bridge=outside.bridge,
                address=outside.address,
                address6=outside.address6,
                failure=None,
                **facts,
            )
            made = time.monotonic()
            with open(self.folder / "keeper.log", "ab") as log:
                keeper = subprocess.Popen(
                    [sys.executable, "-m", "machine", self.kind, "keep", "--name", self.name],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=[lock.fileno(), *layers.held()],
                )
            lock.close()
            if wait:
                self.wait_up(made, keeper)
                self.report(made - begin, time.monotonic() - made)
        except BaseException as error:
            if keeper is None:
                outside.remove()
                lock.close()
            elif isinstance(error, KeyboardInterrupt):
                self.down(now=True)
            raise

    def wait_up(self, begin: float, keeper: subprocess.Popen[bytes] | None = None) -> None:
        """Returns when the machine has booted and, where the packages are there, its API answers."""
        with progress("booting"):
            self._wait_running(begin, keeper)

    def _wait_running(self, begin: float, keeper: subprocess.Popen[bytes] | None) -> None:
        while True:
            ended = keeper.poll() is not None if keeper else not self.is_kept()
            state = self.read()
            if state.get("state") == "running":
                break
            if ended:
                raise Failure(f"{self.name} did not start: {state.get('failure') or 'see ' + str(self.folder)}")
            if time.monotonic() - begin > self.boot_seconds:
                raise Failure(f"{self.name} is not up after {self.boot_seconds:.0f} s; see scripts/{self.kind} logs")
            time.sleep(0.05)
        if state.get("packages") and not wait_until(self.pings, 30, 0.1):
            raise Failure(f"{self.name} has booted, but its API does not answer; see scripts/{self.kind} logs")

    def pings(self) -> bool:
        """GET /ping on the machine itself answers OK. The key goes in by the standard input."""
        key = self.api_key()
        if not key:
            return False
        config = f'header = "Authorization: Bearer {key}"\nurl = "http://127.0.0.1:48484/ping"\n'
        return self.output(["curl", "-s", "-m", "2", "-K", "-"], config, 5) == (0, "OK")

    def report(self, making: float, booting: float) -> None:
        state = self.read()
        say(f"{self.name} is up at {state['address']}, in {making + booting:.1f} s ({booting:.1f} s to boot)")

    def down(self, now: bool = False) -> None:
        state = self.read()
        if self.is_kept():
            # The keeper may be about to start; it then writes down its process.
            if wait_until(lambda: self.read().get("keeper") or not self.is_kept(), 10) and self.is_kept():
                keeper = self.read()["keeper"]
                self._tell(keeper, signal.SIGINT if now else signal.SIGTERM)
                if not wait_until(lambda: not self.is_kept(), 90):
                    self._tell(keeper, signal.SIGKILL)
                    wait_until(lambda: not self.is_kept(), 10)
            if self.is_kept():
                raise Failure(f"{self.name} does not end")
        self.clean(state)
        if state:
            self.write(state="off", leader=None, keeper=None)

    def _tell(self, pid: int, signal: int) -> None:
        if self.read().get("pidns") != namespace("pid"):
            raise Failure(f"{self.name} was started in another process namespace")
        try:
            os.kill(pid, signal)
        except ProcessLookupError:
            pass

    def reset(self) -> None:
        self.down(now=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def must_run(self) -> dict[str, Any]:
        state = self.read()
        if not self.is_kept():
            raise Failure(f"{self.name} is off; scripts/{self.kind} up starts it", 69)
        if state.get("pidns") != namespace("pid"):
            raise Failure(f"{self.name} was started in another process namespace", 69)
        return state

    # ---- the keeper

    def keep(self) -> int:
        """Boots the machine until it powers off. This is the keeper's process."""
        asked: list[int] = []
        boot: Boot | None = None

        def end(number: int, _: object) -> None:
            asked.append(number)
            if boot is not None:
                boot.end(kindly=number == signal.SIGTERM and len(asked) == 1)

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.write(keeper=os.getpid())
        result = "off"
        try:
            while not asked:
                self.write(state="starting", leader=None, boots=self.read()["boots"] + 1)
                boot = self.boot()
                self.write(leader=boot.leader)
                if asked:
                    boot.end(kindly=False)
                outcome = boot.watch(on_running=lambda: self.write(state="running"))
                if outcome == "reboot":
                    continue
                if outcome != "off" and not asked:
                    result = "failed"
                    self.write(failure=outcome)
                break
        except Failure as failure:
            result = "failed"
            self.write(failure=str(failure))
        finally:
            if boot is not None:
                boot.end(kindly=False)
            self.clean(self.read())
            self.write(state=result, leader=None, keeper=None)
        return 0 if result == "off" else 1

    # ---- shared parts

    @property
    def identity(self) -> str:
        """32 hexadecimal digits, the same for this folder every time: the machine's id."""
        return hashlib.sha256(str(self.folder).encode()).hexdigest()[:32]

    @property
    def short_identity(self) -> str:
        return self.identity[:6]


class Boot:
    """One boot of a machine, from power to its end."""

    leader: int

    def watch(self, on_running: Any) -> str:
        """Waits for the end: "reboot", "off", or what went wrong."""
        raise NotImplementedError

    def end(self, kindly: bool) -> None:
        """Powers the machine off, or pulls the plug."""
        raise NotImplementedError


def line_of_journal(record: dict[str, Any]) -> str:
    """As journalctl has it, without date and host. A message that is no text comes as numbers."""
    message = record.get("MESSAGE")
    if isinstance(message, list):
        message = bytes(message).decode(errors="replace")
    when = time.strftime("%H:%M:%S", time.localtime(int(record["__REALTIME_TIMESTAMP"]) / 1e6))
    pid = f"[{record['_PID']}]" if "_PID" in record else ""
    return f"{when} {record.get('SYSLOG_IDENTIFIER', 'unknown')}{pid}: {message}"


def namespace(kind: str) -> int:
    """Which namespace this process is in."""
    return os.stat(f"/proc/self/ns/{kind}").st_ino


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return sorted(found)


def forget_disk_on_other_layers(machine: Machine, used: list[str], parts: list[str]) -> None:
    """Removes what was written on other layers than these."""
    former = machine.read().get("layers")
    if former not in (None, used):
        say(f"{machine.name} starts with an empty disk: the packages or the base have changed")
        for part in parts:
            run(["rm", "-rf", "--one-file-system", machine.folder / part], "the former disk cannot be removed")
