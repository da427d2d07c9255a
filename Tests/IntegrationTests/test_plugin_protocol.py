"""The examples of docs/plugin-protocol.md keep the JSON Schemas beside it, and the schemas refuse what is wrong."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from harness.paths import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGE = (DOCS / "plugin-protocol.md").read_text(encoding="utf-8")
SCHEMAS = {path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in DOCS.glob("schemas/*.json")}
#: (direction, frame) of each block
BLOCKS = [
    [(line[0], json.loads(line[2:])) for line in block.strip("\n").split("\n")]
    for block in re.findall(r"```frames\n(.*?)```", PAGE, re.DOTALL)
]


def errors(name: str, definition: str | None, value: Any) -> list[str]:
    schema = SCHEMAS[name]
    if definition:
        schema = {**schema, "$ref": f"#/$defs/{definition}"}
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(value)]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"] == f"urn:supervisor:plugin-protocol:1:{name}"


def test_every_method_of_the_page_has_a_schema_and_every_schema_an_example() -> None:
    methods = {frame["method"] for block in BLOCKS for _, frame in block if "method" in frame} - {"hostname.forget"}
    assert methods == set(SCHEMAS) - {"frame"}
    table = set(re.findall(r"^\| ([a-z-]+\.[a-z-]+) \|.*\| (?:yes|no) \|$", PAGE, re.MULTILINE))
    assert table <= methods


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_the_examples_keep_the_schemas(block: list[tuple[str, dict[str, Any]]]) -> None:
    calls: dict[Any, str] = {}
    for direction, frame in block:
        assert errors("frame", None, frame) == [], frame
        if "method" in frame:
            name = frame["method"]
            if "id" in frame:
                assert direction == "→", "a plugin never calls"
                calls[frame["id"]] = name
            if name in SCHEMAS:
                problems = errors(name, "params", frame["params"])
                answers = [other for _, other in block if "error" in other and other["id"] == frame.get("id")]
                refused = any(answer["error"].get("data", {}).get("reason") == "invalid-argument" for answer in answers)
                assert bool(problems) == refused, (frame, problems)
        else:
            assert direction == "←"
            name = calls.pop(frame["id"])
            if "result" in frame:
                assert errors(name, "result", frame["result"]) == [], frame
    assert not calls, "an example without its answer"


@pytest.mark.parametrize(
    ("name", "definition", "value"),
    [
        ("frame", None, {"id": 1, "method": "a.b"}),
        ("frame", None, {"jsonrpc": "2.0", "id": 1.5, "method": "a.b"}),
        ("frame", None, {"jsonrpc": "2.0", "id": None, "method": "a.b"}),
        ("frame", None, {"jsonrpc": "2.0", "id": 1, "method": "a.b", "params": []}),
        ("frame", None, {"jsonrpc": "2.0", "id": 1, "method": "Reboot"}),
        ("frame", None, {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {"code": -32603, "message": "x"}}),
        ("frame", None, {"jsonrpc": "2.0", "id": 1, "result": []}),
        ("frame", None, {"jsonrpc": "2.0", "id": 1}),
        ("frame", None, {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "no data"}}),
        ("frame", None, {"jsonrpc": "2.0", "id": 1, "error": {"code": 5, "message": "five"}}),
        ("frame", None, {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "two\nlines"}}),
        ("frame", None, [{"jsonrpc": "2.0", "id": 1, "method": "a.b"}]),
        ("led.blink", "params", {}),
        ("led.blink", "params", {"durationMs": 0}),
        ("led.blink", "params", {"durationMs": "5"}),
        ("led.blink", "params", {"durationMs": 600_001}),
        ("hostname.set", "params", {"hostname": "-a"}),
        ("hostname.set", "params", {"hostname": "a" * 65}),
        ("proxy.set", "params", {"type": "socks6", "ip": "10.0.0.1", "port": 1}),
        ("proxy.set", "params", {"type": "socks5", "ip": "10.0.0.01", "port": 1}),
        ("proxy.set", "params", {"type": "socks5", "ip": "10.0.0.256", "port": 1}),
        ("proxy.set", "params", {"type": "socks5", "ip": 'x";}', "port": 1}),
        ("proxy.set", "params", {"type": "socks5", "ip": "10.0.0.1", "port": 65536}),
        ("proxy.set", "params", {"type": "socks5", "ip": "10.0.0.1", "port": 1, "login": "a\u0085b"}),
        ("proxy.set", "params", {"type": "socks5", "ip": "10.0.0.1", "port": 1, "noProxy": ["10.0.0.0/33"]}),
        ("proxy.get", "result", {"type": "socks5"}),
        ("power.status", "result", {"preparing": "maybe"}),
        ("tcp-ping.status", "result", {"enabled": True}),
        ("storage.reap", "result", {"removed": -1}),
        ("plugin.ping", "result", {}),
        ("plugin.initialize", "params", {"protocolVersions": [1], "supervisor": {"name": "s", "version": "1"}, "deviceType": "", "settings": {"a": 1}}),
        ("plugin.initialize", "result", {"protocolVersion": 2, "plugin": {"name": "x", "version": "1"}, "operations": []}),
        ("plugin.initialized", "params", {"accepted": False}),
    ],
)  # fmt: skip
def test_the_schemas_refuse_what_is_wrong(name: str, definition: str | None, value: Any) -> None:
    assert errors(name, definition, value)


def test_unknown_members_are_no_fault() -> None:
    assert errors("frame", None, {"jsonrpc": "2.0", "id": 1, "method": "a.b", "x": 1}) == []
    assert errors("led.blink", "params", {"durationMs": 1, "x": 1}) == []
