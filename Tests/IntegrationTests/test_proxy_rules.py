"""The root script of the proxy's rules: what it reads, as whom, and what it hands to nft (a stand-in keeps that)."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.paths import SANDBOX_ROOT

SCRIPT = Path(__file__).resolve().parents[2] / "units" / "proxy-rules"
SECRET = "root:only-roots-secret"
_serial = itertools.count(1)


class Applied(NamedTuple):
    rules: str
    output: str
    status: int

    def set(self, name: str) -> str:
        found = re.search(rf"set {name} \{{.*?elements = \{{(.*?)\}}", self.rules, re.S)
        return found.group(1) if found else ""


class Rules:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "proxy"
        self.folder.mkdir(parents=True)
        for path in (root, self.folder):
            path.chmod(0o755)
        self.list = self.folder / "no_proxy"
        self.programs = root / "bin"
        self.programs.mkdir()
        (self.programs / "nft").write_text(f"#!/bin/sh\ncat > {root}/rules\n")
        (self.programs / "nft").chmod(0o755)
        self.interfaces = root / "net"
        self.interfaces.mkdir()
        self.script = root / "proxy-rules"
        text = SCRIPT.read_text().replace("export PATH=", f"export PATH={self.programs}:")
        self.script.write_text(text.replace("/sys/class/net", str(self.interfaces)))

    def apply(self, **environment: str) -> Applied:
        environment = {"NO_PROXY_FILE": str(self.list), "REDSOCKS_CONF": str(self.folder / "redsocks.conf"), **environment}
        done = subprocess.run(
            ["sh", self.script, "apply"], env={**os.environ, **environment}, capture_output=True, text=True, timeout=20
        )
        rules = self.root / "rules"
        return Applied(rules.read_text() if rules.exists() else "", done.stdout + done.stderr, done.returncode)


@pytest.fixture
def rules() -> Rules:
    return Rules(SANDBOX_ROOT / f"rules{next(_serial)}")


def test_the_list_is_exempt(rules: Rules) -> None:
    rules.list.write_text("10.1.2.3\n# a comment\n\n46.0.0.0/24\n")
    applied = rules.apply()
    assert (applied.status, applied.output) == (0, "")
    assert applied.set("no_proxy").split() == ["10.1.2.3,", "46.0.0.0/24"]


@pytest.mark.parametrize("how", ["symbolic", "file"])
def test_a_file_that_only_root_reads_is_neither_read_nor_printed(rules: Rules, how: str) -> None:
    secret = rules.root / "shadow"
    secret.write_text(f"{SECRET}\n9.9.9.9\n")
    secret.chmod(0o600)
    if how == "symbolic":
        rules.list.symlink_to(secret)
    else:
        os.link(secret, rules.list)
    applied = rules.apply()
    assert applied.status == 0 and "to_proxy" in applied.rules
    assert SECRET not in applied.output + applied.rules and "9.9.9.9" not in applied.rules
    assert "nothing can be read" in applied.output


def test_a_link_is_not_followed_even_to_what_everybody_may_read(rules: Rules) -> None:
    other = rules.root / "other"
    other.write_text("9.9.9.9\n")
    rules.list.symlink_to(other)
    assert "9.9.9.9" not in rules.apply().rules


@pytest.mark.parametrize("what", ["pipe", "endless", "folder"])
def test_what_is_no_file_holds_nothing_up(rules: Rules, what: str) -> None:
    if what == "pipe":
        os.mkfifo(rules.list, 0o644)
    elif what == "endless":
        rules.list.symlink_to("/dev/zero")
    else:
        rules.list.mkdir()
    applied = rules.apply()
    assert applied.status == 0 and "to_proxy" in applied.rules


def test_a_line_that_is_no_address_is_counted_and_not_shown(rules: Rules) -> None:
    rules.list.write_text(f"1.2.3.4\n{SECRET}\n}} ; flush ruleset\n")
    applied = rules.apply()
    assert SECRET not in applied.output and "flush" not in applied.rules + applied.output
    assert f"{rules.list}, line 2: not an IPv4 address or subnet; 2 lines ignored" in applied.output
    assert applied.set("no_proxy").strip() == "1.2.3.4"


def test_a_large_file_of_anything_is_bounded(rules: Rules) -> None:
    rules.list.write_bytes(b"\0\n" * (1 << 20))
    assert rules.apply().status == 0


def test_only_bridges_of_an_engine_go_through_the_proxy(rules: Rules) -> None:
    for name in ["br-lan", "br-100", "br-face", "br-0123456789ab", "br-0123456789ag", "br-eth0", "lan0"]:
        (rules.interfaces / name).mkdir()
    bridges = rules.apply().set("bridges")
    assert '"br-0123456789ab"' in bridges and '"supervisor*"' in bridges
    assert bridges.count("br-") == 1, bridges
    more = rules.apply(ENGINE_BRIDGES='br0 x" a-name-that-is-much-too-long')
    assert '"br0"' in more.set("bridges") and "much" not in more.rules
    assert shutil.which("nft", path=str(rules.programs))


DNS = """dnsu2t {
\tlocal_ip = "0.0.0.0";
\tlocal_port = "12346";
\tremote_ip = "9.9.9.9";
\tremote_port = "53";
}
"""


def test_queries_go_to_redsocks_only_where_its_file_says_so(rules: Rules) -> None:
    assert "12346" not in rules.apply().rules
    file = rules.folder / "redsocks.conf"
    file.write_text(DNS)
    applied = rules.apply()
    assert applied.output == "" and "udp dport 53 counter redirect to :12346" in applied.rules
    assert "ip daddr 9.9.9.9 tcp dport 53 counter redirect to :12345" in applied.rules
    for bad in [DNS.replace("9.9.9.9", "9.9.9.9/0"), DNS.replace('"53"', '"x53"'), DNS.replace("12346", "53")]:
        file.write_text(bad)
        assert "udp dport 53" not in rules.apply().rules, bad
