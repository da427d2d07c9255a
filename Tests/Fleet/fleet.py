"""A service of its own for each test that wants one, and devices at the other end of its bus.

Python is the second implementation of everything on the wire; nothing here uses our own code.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import nats
import nkeys
import requests

BINARY = os.environ["SUPERVISOR_FLEET"]
PAGE = Path(__file__).resolve().parents[2] / "fleet/Sources/Page"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what: str, check: Callable[[], Any], timeout: float = 15) -> Any:
    end = time.monotonic() + timeout
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < end, f"{what}: not within {timeout} s"
        time.sleep(0.02)


class Fleet:
    def __init__(self, directory: Path, *, http: str = "", certificate: tuple[Path, Path] | None = None) -> None:
        self.directory = directory
        self.port, self.bus_port, self.ws_port = free_port(), free_port(), free_port()
        self.verify: str | bool = True
        self.url = f"http://127.0.0.1:{self.port}"
        if certificate:
            http += f"Certificate={certificate[0]}\nKey={certificate[1]}\n"
        self.config = directory / "fleet.conf"
        self.config.write_text(
            f"[Fleet]\nStateDirectory={directory}/state\nPageDirectory={PAGE}\n"
            f"[HTTP]\nListen=127.0.0.1:{self.port}\n{http}"
            f"[NATS]\nListen=127.0.0.1:{self.bus_port}\nWebSocketListen=127.0.0.1:{self.ws_port}\n"
        )
        self.admin = self.run("init")
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [BINARY, *words, "--config", str(self.config)], capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self) -> Fleet:
        self.log = open(self.directory / "serve.log", "ab")
        self.process = subprocess.Popen([BINARY, "serve", "--config", str(self.config)], stderr=self.log)
        wait_for("the service is healthy", self._is_healthy)
        return self

    def _is_healthy(self) -> bool:
        assert self.process and self.process.poll() is None, (self.directory / "serve.log").read_text()
        try:
            return requests.get(f"{self.url}/healthy", timeout=5, verify=False).status_code == 200
        except requests.ConnectionError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(number)
        code = self.process.wait(20)
        self.log.close()
        self.process = None
        return code

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = "", **headers: str):
        """One request; `token` is the administrator's by default, None for none at all."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            fields["Authorization"] = f"Bearer {token or self.admin}"
        data = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
        if data is not None:
            fields.setdefault("Content-Type", "application/json")
        return requests.request(method, self.url + path, data=data, headers=fields, timeout=70, verify=False)

    def application(self, name: str) -> int:
        return int(self.run("app", "create", name))

    def token(self, name: str, scope: str, *applications: str) -> str:
        words = [word for application in applications for word in ("--app", application)]
        return self.run("token", "create", name, "--scope", scope, *words)

    def devices_of(self, application: int) -> list[str]:
        """The uuids of an application's devices in the order of their ids."""
        found: list[str] = []
        path: str | None = f"/api/v1/devices?application={application}&limit=1000"
        while path:
            page = self.ask("GET", path).json()
            found += [device["uuid"] for device in page["items"]]
            path = page["next"] and f"/api/v1/devices?application={application}&limit=1000&cursor={page['next']}"
        return found

    @contextlib.contextmanager
    def responder(self, uuids: list[str]) -> Iterator[list[str]]:
        """Answers OK in the name of many devices over one connection, with a login made of the account's key."""
        account = nkeys.from_seed((self.directory / "state/keys/account.seed").read_bytes().strip())
        user = nkeys.from_seed(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
        claims = {
            "name": "devices",
            "jti": "devices",
            "iat": int(time.time()),
            "iss": account.public_key.decode(),
            "sub": user.public_key.decode(),
            "nats": {"type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1},
        }
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, claims))
        jwt = text + b"." + base64.urlsafe_b64encode(account.sign(text)).rstrip(b"=")
        received: list[str] = []

        async def call(message: Any) -> None:
            received.append(message.subject.split(".")[3])
            reply = {"id": json.loads(message.data)["id"], "status": 200, "contentType": "text/plain", "body": "OK"}
            await message.respond(json.dumps(reply).encode())

        async def open_all() -> nats.NATS:
            client = await nats.connect(
                f"nats://127.0.0.1:{self.bus_port}",
                user_jwt_cb=lambda: jwt,
                signature_cb=lambda nonce: base64.b64encode(user.sign(nonce.encode())),
            )
            for uuid in uuids:
                await client.subscribe(f"sup.v1.dev.{uuid}.call", cb=call)
            await client.flush()
            return client

        client = BUS.run(open_all())
        yield received
        BUS.run(client.close())

    def device(self, application: str, **fields: Any) -> Device:
        return Device(self, application, **fields)


class Bus:
    """The event loop that simulated devices live on."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)


BUS = Bus()
#: What a device answers: status, content type, body.
Answer = tuple[int, str | None, str]


class Device:
    """A registered device; `connect` puts it on the bus."""

    def __init__(self, fleet: Fleet, application: str, **fields: Any) -> None:
        self.fleet = fleet
        self.uuid, self.key = secrets.token_hex(16), secrets.token_hex(16)
        found = fleet.ask("GET", f"/api/v1/applications/{application}").json()
        provisioning = fleet.run("app", "provision", application)
        body = {"application": found["id"], "uuid": self.uuid, "device_type": "generic", "api_key": self.key} | fields
        answer = fleet.ask("POST", "/device/register", body, token=provisioning)
        assert answer.status_code == 201, answer.text
        self.id, self.application = answer.json()["id"], found["id"]
        self.provisioning = provisioning
        self.commands: list[dict[str, Any]] = []
        self.pokes = threading.Event()
        self.errors: list[str] = []
        self.client: nats.NATS | None = None

    def credentials(self) -> tuple[Any, dict[str, Any]]:
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        pair = nkeys.from_seed(seed)
        answer = self.fleet.ask("POST", "/bus/v1/credentials", {"nkey": pair.public_key.decode()}, token=self.key)
        assert answer.status_code == 200, answer.text
        return pair, answer.json()

    def connect(self, answer: Callable[[dict[str, Any]], Answer | bytes | None]) -> Device:
        """`answer` makes the answer to each command: as a triple, as bytes to send as they are, or None for silence."""
        pair, given = self.credentials()
        BUS.run(self._connect(pair, given, answer))
        return self

    async def _connect(self, pair: Any, given: dict[str, Any], answer: Callable[..., Any]) -> None:
        async def note(error: Exception) -> None:
            self.errors.append(str(error))

        self.client = await nats.connect(
            given["servers"],
            user_jwt_cb=lambda: given["jwt"].encode(),
            signature_cb=lambda nonce: base64.b64encode(pair.sign(nonce.encode())),
            error_cb=note,
            allow_reconnect=False,
        )

        async def call(message: Any) -> None:
            command = json.loads(message.data)
            self.commands.append(command | {"headers": dict(message.headers or {})})
            reply = answer(command)
            if isinstance(reply, tuple):
                status, kind, body = reply
                value = {"id": command["id"], "status": status, "body": body} | ({"contentType": kind} if kind else {})
                reply = json.dumps(value).encode()
            if reply is not None:
                await message.respond(reply)

        async def poke(_: Any) -> None:
            self.pokes.set()

        await self.client.subscribe(f"sup.v1.dev.{self.uuid}.call", cb=call)
        await self.client.subscribe(f"sup.v1.dev.{self.uuid}.poke", cb=poke)
        await self.client.flush()

    def close(self) -> None:
        if self.client:
            BUS.run(self.client.close())
            self.client = None


def ok(_: dict[str, Any]) -> Answer:
    return 200, "text/plain; charset=utf-8", "OK"
