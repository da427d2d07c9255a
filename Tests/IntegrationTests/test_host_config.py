"""PATCH and GET /v1/device/host-config: what is merged, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import concurrent.futures
import json
from typing import Any, Iterator

import pytest

from harness import target
from harness.answers import is_text
from harness.engine import Engine
from harness.paths import SANDBOX_ROOT
from harness.plugins import Plugins, Scripted
from harness.supervisor import Supervisor
from harness.wire import Response

FULL = {
    "type": "socks5",
    "ip": "10.20.30.40",
    "port": 1080,
    "login": "me",
    "password": "s3cret",
    "noProxy": ["10.1.2.3", "192.168.0.0/16"],
}
PLAIN = {"type": "http-connect", "ip": "proxy.example.com", "port": 8080}


class HostConfig:
    """A device with scripted plugins for host name and proxy."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.plugins = Plugins(supervisor)
        self.hostnamed: Scripted = self.plugins.scripted("hostnamed")
        self.redsocks: Scripted = self.plugins.scripted("redsocks")
        self.now({}, "device")

    def now(self, proxy: dict[str, Any], hostname: str, **behaviours: list[dict[str, Any]]) -> None:
        """What is set now, and what sets do."""
        extra = {name.replace("_", "."): value for name, value in behaviours.items()}
        of = lambda name: {key: value for key, value in extra.items() if key.startswith(name)}  # noqa: E731
        self.hostnamed.script({"hostname.get": [{"reply": {"hostname": hostname}}], **of("hostname")})
        self.redsocks.script({"proxy.get": [{"reply": proxy}], **of("proxy")})
        self.mark = len(self.hostnamed.journal), len(self.redsocks.journal)

    def changes(self) -> list[tuple[str, Any]]:
        """What was asked to change since `now`."""
        entries = self.hostnamed.journal[self.mark[0] :] + self.redsocks.journal[self.mark[1] :]
        return [
            (entry["method"], entry["params"])
            for entry in entries
            if entry.get("event") == "received"
            and entry.get("method") in ("hostname.set", "proxy.set", "proxy.clear")
        ]

    def patch(self, body: Any) -> Response:
        return self.supervisor.api("PATCH", "/v1/device/host-config", body)

    def get(self) -> Any:
        return self.supervisor.api("GET", "/v1/device/host-config").json


@pytest.fixture(scope="module")
def config(shared_engine: Engine, shared_device: Any, user: Any) -> Iterator[HostConfig]:
    shared_device.end()
    shared_engine.remove_all()
    supervisor = Supervisor(SANDBOX_ROOT / "host-config", shared_engine, user)
    config = HostConfig(supervisor)
    supervisor.write_target(target.app())
    supervisor.start()
    yield config
    print(supervisor.log[-8000:])
    config.plugins.dispose()
    supervisor.dispose()


def proxy(**fields: Any) -> dict[str, Any]:
    return {"network": {"proxy": {**PLAIN, **fields}}}


#: (body, the member that the answer names)
BAD: list[tuple[Any, str]] = [
    # not the shape
    ([], ""),
    ("text", ""),
    (b"{", ""),
    ({"network": []}, "network"),
    ({"network": "x"}, "network"),
    ({"network": None}, "network"),
    ({"network": {"proxy": []}}, "proxy"),
    ({"network": {"proxy": "socks5"}}, "proxy"),
    ({"network": {"hostname": 5}}, "hostname"),
    ({"network": {"hostname": ["a"]}}, "hostname"),
    ({"network": {"hostname": {}}}, "hostname"),
    # host names
    ({"network": {"hostname": "with space"}}, "hostname"),
    ({"network": {"hostname": "-dash"}}, "hostname"),
    ({"network": {"hostname": "dash-"}}, "hostname"),
    ({"network": {"hostname": "under_score"}}, "hostname"),
    ({"network": {"hostname": "dot..dot"}}, "hostname"),
    ({"network": {"hostname": "trailing."}}, "hostname"),
    ({"network": {"hostname": "ümlaut"}}, "hostname"),
    ({"network": {"hostname": "a" * 64 + "b"}}, "hostname"),
    ({"network": {"hostname": "a" * 64}}, "hostname"),
    ({"network": {"hostname": "name\nother"}}, "hostname"),
    ({"network": {"hostname": "name\u0000"}}, "hostname"),
    ({"network": {"hostname": "$(reboot)"}}, "hostname"),
    # proxy: type
    (proxy(type="socks"), "type"),
    (proxy(type="SOCKS5"), "type"),
    (proxy(type=""), "type"),
    (proxy(type=5), "type"),
    (proxy(type='socks5"; }'), "type"),
    ({"network": {"proxy": {"ip": "10.0.0.1", "port": 1}}}, "type"),
    # proxy: ip
    ({"network": {"proxy": {"type": "socks5", "port": 1}}}, "ip"),
    (proxy(ip=""), "ip"),
    (proxy(ip="010.0.0.1"), "ip"),
    (proxy(ip="127.1"), "ip"),
    (proxy(ip="1"), "ip"),
    (proxy(ip="0x7f.1"), "ip"),
    (proxy(ip="256.0.0.1"), "ip"),
    (proxy(ip="1.2.3.4.5"), "ip"),
    (proxy(ip="::1"), "ip"),
    (proxy(ip="127.0.0.1 x"), "ip"),
    (proxy(ip="10.0.0.1;\n port = 1"), "ip"),
    (proxy(ip='a"; } base { daemon = on; } redsocks { ip = "b'), "ip"),
    (proxy(ip="proxy.example.com/path"), "ip"),
    (proxy(ip="http://proxy"), "ip"),
    (proxy(ip="{"), "ip"),
    (proxy(ip=10), "ip"),
    # proxy: port
    ({"network": {"proxy": {"type": "socks5", "ip": "10.0.0.1"}}}, "port"),
    (proxy(port=0), "port"),
    (proxy(port=65536), "port"),
    (proxy(port=-1), "port"),
    (proxy(port=80.5), "port"),
    (proxy(port=True), "port"),
    (proxy(port=""), "port"),
    (proxy(port="010"), "port"),
    (proxy(port="0x1F90"), "port"),
    (proxy(port=" 80"), "port"),
    (proxy(port="+80"), "port"),
    (proxy(port="80; login = x"), "port"),
    (proxy(port="99999999999999999999"), "port"),
    # proxy: secrets
    (proxy(login="a\nb"), "login"),
    (proxy(login="a\u0000b"), "login"),
    (proxy(login="\u007f"), "login"),
    (proxy(login="x" * 256), "login"),
    (proxy(login=5), "login"),
    (proxy(login="{"), "login"),
    (proxy(password="}"), "password"),
    (proxy(password="="), "password"),
    (proxy(password=";"), "password"),
    (proxy(password="//"), "password"),
    (proxy(password="/*"), "password"),
    (proxy(password='"\r\n}\nbase {'), "password"),
    (proxy(password="\u0085"), "password"),
    (proxy(password="é" * 128), "password"),
    (proxy(password=["a"]), "password"),
    # proxy: noProxy
    (proxy(noProxy="10.0.0.1"), "noProxy"),
    (proxy(noProxy=[5]), "noProxy"),
    (proxy(noProxy=["example.com"]), "noProxy"),
    (proxy(noProxy=["10.0.0.1", "10.0.0.0/33"]), "noProxy"),
    (proxy(noProxy=["10.0.0.0/"]), "noProxy"),
    (proxy(noProxy=["10.0.0.0/08"]), "noProxy"),
    (proxy(noProxy=["::1"]), "noProxy"),
    (proxy(noProxy=["10.0.0.1\n0.0.0.0/0"]), "noProxy"),
    (proxy(noProxy=["10.0.0.1 }; flush ruleset"]), "noProxy"),
    # one good and one bad value: nothing changes
    ({"network": {"hostname": "fine", "proxy": {**PLAIN, "port": 0}}}, "port"),
    ({"network": {"hostname": "not fine", "proxy": PLAIN}}, "hostname"),
]


@pytest.mark.parametrize("body, member", BAD, ids=[str(number) for number in range(len(BAD))])
def test_a_bad_value_is_a_400_that_names_it_and_changes_nothing(config: HostConfig, body: Any, member: str) -> None:
    config.now(FULL, "device")
    # On top of what is set, a bad field must not hide behind a good one; without a proxy, a missing one shows.
    if member and isinstance(body, dict) and "is missing" not in member:
        fields = body.get("network", {})
        if isinstance(fields, dict) and isinstance(fields.get("proxy"), dict) and member not in fields["proxy"]:
            config.now({}, "device")
    answer = config.patch(body)
    is_text(answer, 400)
    assert member in answer.text, answer.text
    assert config.changes() == []
    secret = body.get("network") if isinstance(body, dict) else None
    if isinstance(secret, dict) and isinstance(secret.get("proxy"), dict):
        for name in ("login", "password"):
            value = secret["proxy"].get(name)
            if isinstance(value, str) and len(value) > 3:
                assert value not in answer.text and value not in config.supervisor.log


#: (what is set, PATCH, what plugins are asked for)
MERGES: list[tuple[dict[str, Any], Any, list[tuple[str, Any]]]] = [
    ({}, {}, []),
    ({}, {"network": {}}, []),
    ({}, {"other": {"hostname": "x"}, "network": {}}, []),
    ({}, {"network": {"hostname": "kiosk"}}, [("hostname.set", {"hostname": "kiosk"})]),
    ({}, {"network": {"hostname": "device"}}, []),
    ({}, {"network": {"hostname": "a" * 63}}, [("hostname.set", {"hostname": "a" * 63})]),
    ({}, {"network": {"proxy": PLAIN}}, [("proxy.set", PLAIN)]),
    ({}, {"network": {"proxy": {**PLAIN, "port": "8080"}}}, [("proxy.set", PLAIN)]),
    ({}, {"network": {"proxy": {**PLAIN, "login": None, "noProxy": []}}}, [("proxy.set", PLAIN)]),
    (PLAIN, {"network": {"proxy": PLAIN}}, []),
    (FULL, {"network": {"proxy": FULL}}, []),
    (FULL, {"network": {"proxy": {"port": "1080"}}}, []),
    (FULL, {"network": {"proxy": {"port": 1081}}}, [("proxy.set", {**FULL, "port": 1081})]),
    (FULL, {"network": {"proxy": {"password": "n3w"}}}, [("proxy.set", {**FULL, "password": "n3w"})]),
    (FULL, {"network": {"proxy": {"login": None, "password": None}}}, [("proxy.set", {k: v for k, v in FULL.items() if k not in ("login", "password")})]),
    (FULL, {"network": {"proxy": {"noProxy": None}}}, [("proxy.set", {k: v for k, v in FULL.items() if k != "noProxy"})]),
    (FULL, {"network": {"proxy": {"noProxy": ["1.2.3.4"]}}}, [("proxy.set", {**FULL, "noProxy": ["1.2.3.4"]})]),
    (FULL, {"network": {"proxy": {"dns": False}}}, []),
    (FULL, {"network": {"proxy": {"dns": True}}}, [("proxy.set", {**FULL, "dns": "8.8.8.8:53"})]),
    (FULL, {"network": {"proxy": None}}, [("proxy.clear", {})]),
    (FULL, {"network": {"proxy": {}}}, [("proxy.clear", {})]),
    ({}, {"network": {"proxy": None}}, []),
    ({}, {"network": {"proxy": {}}}, []),
]


@pytest.mark.parametrize("now, body, changes", MERGES, ids=[str(number) for number in range(len(MERGES))])
def test_a_patch_is_merged_and_what_does_not_change_is_not_touched(
    config: HostConfig, now: dict[str, Any], body: Any, changes: list[tuple[str, Any]]
) -> None:
    config.now(now, "device")
    is_text(config.patch(body), 200, "OK")
    assert config.changes() == changes


@pytest.mark.parametrize("value", [None, ""])
def test_a_hostname_that_is_cleared_is_the_start_of_the_uuid(config: HostConfig, value: Any) -> None:
    config.now({}, "device")
    uuid = json.loads((config.supervisor.state / "identity.json").read_text())["uuid"]
    is_text(config.patch({"network": {"hostname": value}}), 200, "OK")
    assert config.changes() == [("hostname.set", {"hostname": uuid[:7]})]


def test_two_patches_at_once_are_merged_one_after_the_other(config: HostConfig) -> None:
    """Each reads what the other one has written: the second must not read before the first has finished."""
    config.now(FULL, "device", proxy_set=[{"slow": 300, "reply": {}}])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(config.patch, [{"network": {"proxy": {"port": port}}} for port in (1, 2)]))
    assert [answer.status for answer in answers] == [200, 200]
    order = [
        entry["method"]
        for entry in config.redsocks.journal[config.mark[1] :]
        if entry.get("event") == "received" and entry.get("method", "").startswith("proxy.")
    ]
    assert order == ["proxy.get", "proxy.set", "proxy.get", "proxy.set"]


def test_a_proxy_that_cannot_be_set_leaves_the_host_name_alone(config: HostConfig) -> None:
    config.now(PLAIN, "device", proxy_set=[{"error": {"reason": "failed", "message": "redsocks does not start"}}])
    answer = config.patch({"network": {"hostname": "elsewhere", "proxy": {"port": 81}}})
    is_text(answer, 503)
    assert "redsocks does not start" in answer.text
    # The proxy comes first, because it is what fails: the host name was not touched.
    assert [method for method, _ in config.changes()] == ["proxy.set"]


def test_a_secret_of_the_proxy_is_in_no_log(config: HostConfig) -> None:
    config.now(FULL, "device")
    is_text(config.patch({"network": {"proxy": {"password": "very-s3cret-indeed", "login": "l0gin-name"}}}), 200, "OK")
    assert config.get()["network"]["proxy"]["password"] == "s3cret"
    for secret in ("very-s3cret-indeed", "l0gin-name", "s3cret"):
        assert secret not in config.supervisor.log
