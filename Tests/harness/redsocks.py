"""The real redsocks as a service, and what its traffic goes through: real proxies, and a server that tells who came.

Everything is on the sandbox's loopback interface. Connections to the server's port are sent into redsocks by iptables, those of
the proxies' user are not; each proxy comes from an address of its own, so that the server's answer tells the way.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import threading
from pathlib import Path

from .bus import SystemBus
from .ports import free_port
from .processes import Process, must, run
from .waiting import wait_until

UNIT = "redsocks.service"
#: where redsocks listens, as it stands in the file
PORT = 12345
#: of nobody, as whom the proxies run
PROXY_USER = 65534
SERVER = ("127.0.0.77", 7000)
DIRECT = "127.0.0.1"
SOCKS, HTTP, SOCKS4 = "127.0.0.9", "127.0.0.8", "127.0.0.7"
AS_NOBODY = ["setpriv", f"--reuid={PROXY_USER}", f"--regid={PROXY_USER}", "--clear-groups", "--"]


class RedsocksService:
    """redsocks.service on a bus of the tests, as its drop-in has it: Type=exec, ConditionPathExists=, foreground."""

    def __init__(self, root: Path, bus: SystemBus) -> None:
        self.root, self.bus = root, bus
        self.folder = root / "proxy"
        self.config = self.folder / "redsocks.conf"
        self.no_proxy = self.folder / "no_proxy"
        self.log_file = root / "redsocks.log"
        self.pid_file = root / "pid"
        #: shell commands that a start begins with; a status other than 0 fails the job
        self.before_start = root / "before-start"
        self.job = root / "job"
        self.state = root / "state"
        root.mkdir(parents=True)
        root.chmod(0o755)
        pid, config, log = (shlex.quote(str(part)) for part in (self.pid_file, self.config, self.log_file))
        stop = f"""if [ -e {pid} ]; then
                kill $(cat {pid}) 2>/dev/null
                while kill -0 $(cat {pid}) 2>/dev/null; do sleep 0.01; done
                rm -f {pid}
            fi"""
        self.job.write_text(
            f"""#!/bin/sh
            # One job at a time, as systemd has it.
            exec 9>{shlex.quote(str(root / "lock"))}
            flock 9
            {stop}
            [ -e {config} ] || exit 0
            if [ -e {self.before_start} ]; then . {self.before_start}; fi
            setsid /usr/sbin/redsocks -c {config} </dev/null >>{log} 2>&1 9>&- &
            echo $! > {pid}.new
            mv {pid}.new {pid}
            """
        )
        self.state.write_text(
            f"""#!/bin/sh
            if [ ! -e {pid} ]; then echo inactive
            elif kill -0 $(cat {pid}) 2>/dev/null; then echo active
            else echo failed; fi
            """
        )
        for script in (self.job, self.state):
            script.chmod(0o755)
        self.behave()

    def behave(self, **how: object) -> None:
        """As SystemBus.behave, with this service in it."""
        self.bus.behave(hooks={UNIT: str(self.job)}, states={UNIT: str(self.state)}, **how)

    @property
    def settings(self) -> dict[str, str]:
        return {"ConfigFile": str(self.config), "NoProxyFile": str(self.no_proxy), "Unit": UNIT}

    @property
    def pid(self) -> int | None:
        """Of the redsocks that runs."""
        try:
            number = int(self.pid_file.read_text())
            os.kill(number, 0)
            return number
        except (OSError, ValueError):
            return None

    @property
    def restarts(self) -> int:
        return sum(1 for method, unit, _ in self.bus.calls if (method, unit) == ("RestartUnit", UNIT))

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def files(self) -> dict[str, bytes]:
        """Everything in the directory, temporaries too."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()} if self.folder.exists() else {}

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", PORT)) == 0

    def stop(self) -> None:
        number = self.pid
        if number:
            os.kill(number, signal.SIGKILL)
            wait_until(lambda: self.pid is None, 5, "redsocks is gone")
        self.pid_file.unlink(missing_ok=True)


class Server:
    """Answers the first line of a connection with the peer's address, as HTTP where it is asked so."""

    def __init__(self) -> None:
        self.peers: list[str] = []
        self.socket = socket.create_server(SERVER, backlog=64)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, (peer, _) = self.socket.accept()
            except OSError:
                return
            self.peers.append(peer)
            threading.Thread(target=self._answer, args=[connection, peer], daemon=True).start()

    def _answer(self, connection: socket.socket, peer: str) -> None:
        with connection:
            connection.settimeout(10)
            try:
                line = connection.makefile("rb").readline()
                if line.startswith(b"GET "):
                    head = f"HTTP/1.0 200 OK\r\nContent-Length: {len(peer)}\r\nConnection: close\r\n\r\n"
                    connection.sendall(head.encode() + peer.encode())
                else:
                    connection.sendall(peer.encode() + b"\n")
            except OSError:
                pass

    def stop(self) -> None:
        # A thread that waits in accept would keep the port after a mere close.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.socket.close()


def ask(request: bytes = b"hello\n", timeout: float = 10) -> bytes:
    """A client's connection to the server; what came until its end. Keeps its own side open, as redsocks wants it."""
    with socket.create_connection(SERVER, timeout) as client:
        client.settimeout(timeout)
        client.sendall(request)
        answer = b""
        try:
            while part := client.recv(4096):
                answer += part
        except ConnectionResetError:
            pass
        return answer


class Redirect:
    """Sends every connection to the server's port into redsocks, except the proxies' own."""

    rule = [
        "OUTPUT", "-p", "tcp", "--dport", SERVER[1], "-m", "owner", "!", "--uid-owner", PROXY_USER,
        "-j", "REDIRECT", "--to-ports", PORT,
    ]  # fmt: skip

    def __init__(self) -> None:
        must(["iptables", "-t", "nat", "-A", *map(str, self.rule)])

    def remove(self) -> None:
        run(["iptables", "-t", "nat", "-D", *map(str, self.rule)])


class Microsocks:
    """A real socks5 proxy."""

    def __init__(self, root: Path, login: str | None = None, password: str | None = None) -> None:
        self.port = free_port()
        command = ["microsocks", "-i", "127.0.0.1", "-p", str(self.port), "-b", SOCKS]
        if login is not None and password is not None:
            command += ["-u", login, "-P", password]
        self.process = Process([*AS_NOBODY, *command], root / f"microsocks-{self.port}.log")
        _wait_for_port(self.port, self.process)

    def stop(self) -> None:
        self.process.kill()


class Tinyproxy:
    """A real HTTP proxy. Its file takes letters and digits alone for login and password."""

    def __init__(self, root: Path, login: str | None = None, password: str | None = None) -> None:
        self.port = free_port()
        file = root / f"tinyproxy-{self.port}.conf"
        file.write_text(
            f"Port {self.port}\nListen 127.0.0.1\nBind {HTTP}\nTimeout 30\nMaxClients 20\nAllow 127.0.0.1\n"
            + (f"BasicAuth {login} {password}\n" if login else "")
        )
        file.chmod(0o644)
        self.process = Process([*AS_NOBODY, "tinyproxy", "-d", "-c", file], root / f"tinyproxy-{self.port}.log")
        _wait_for_port(self.port, self.process)

    def stop(self) -> None:
        self.process.kill()


class Socks4Recorder:
    """A socks4 proxy that keeps the user ids which it was given; Debian has none that is small."""

    def __init__(self) -> None:
        self.users: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=[client], daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        client.settimeout(10)
        with client:
            try:
                # Version, command, port, address, user id, NUL.
                head = client.recv(8, socket.MSG_WAITALL)
                assert head[:2] == b"\x04\x01", head
                user = b""
                while (byte := client.recv(1)) not in (b"\0", b""):
                    user += byte
                self.users.append(user)
                target = (socket.inet_ntoa(head[4:8]), int.from_bytes(head[2:4], "big"))
                # This process is root's, whose connections are redirected: the answer shows the target instead.
                client.sendall(b"\0\x5a" + bytes(6))
                client.recv(64)
                client.sendall(f"{target[0]}:{target[1]} by {SOCKS4}\n".encode())
            except OSError:
                pass

    def stop(self) -> None:
        self.socket.close()


def _wait_for_port(port: int, process: Process) -> None:
    def listens() -> bool:
        if not process.running:
            raise SystemError(f"{process.command} ended: {process.tail()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, 10, f"{process.command} listens")
