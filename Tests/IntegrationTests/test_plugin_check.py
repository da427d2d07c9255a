"""supervisor-plugin-check: what keeps the protocol passes, and each fault is found under its id."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness.conformance import EXAMPLES, Conformance, check, scripted
from harness.supervisor import binary
from harness.waiting import wait_until

#: What a plugin of `scripted` provides here: an operation that the kit may call without being told to.
STATUS = "power.status"
GOOD: dict[str, Any] = {STATUS: [{"reply": {"preparing": "none"}}]}
ALL = {
    "handshake.good", "handshake.operations", "handshake.version", "handshake.versions", "handshake.first",
    "handshake.again", "handshake.refused", "handshake.settings", "handshake.unknown-members", "frames.split",
    "frames.joined", "frames.separators", "frames.ids", "frames.maximum", "frames.oversize", "frames.not-json",
    "frames.invalid", "frames.no-params", "frames.unknown-members", "frames.white-space", "calls.ping",
    "calls.unknown-method", "calls.unknown-notification", "calls.two", "calls.sixteen", "calls.ping-while-busy",
    "calls.cancel", "calls.cancel-unknown", "calls.order", "life.stays", "life.shutdown", "life.end-of-input",
    "life.end-while-busy", "life.end-before-handshake", "life.end-within-frame", "life.terminate",
    "life.terminate-while-busy", "life.terminal", "output.frames-only", "output.envelope", "output.size",
    "output.no-calls", "output.answered-once", "output.errors",
}  # fmt: skip
END = {"life.end-of-input", "life.end-while-busy", "life.end-before-handshake", "life.end-within-frame"}
LONG = {"calls.ping-while-busy", "calls.cancel", "calls.two", "frames.unknown-members", "life.end-while-busy"}


def misbehaving(**keys: Any) -> dict[str, Any]:
    return {**GOOD, **keys}


def status(**behaviour: Any) -> dict[str, Any]:
    return {STATUS: [{"reply": {"preparing": "none"}, **behaviour}]}


#: name -> (script, options of the scripted plugin, options of the kit, the ids that fail)
FAULTS: dict[str, tuple[dict[str, Any], list[str], list[str], set[str]]] = {
    "version": ({"plugin.initialize": [{"badVersion": True}]}, [], [], {"handshake.good"}),
    "name": (GOOD, ["--name", "other"], ["--name", "scripted"], {"handshake.good"}),
    "silence": ({"plugin.initialize": [{"hang": True}]}, [], [], {"handshake.good"}),
    "death": ({"plugin.initialize": [{"crash": True}]}, [], [], {"handshake.good"}),
    "half a frame": (
        {"plugin.initialize": [{"dieAfterBytes": 20}]},
        [],
        [],
        {"handshake.good", "output.frames-only"},
    ),
    "closed output": ({"plugin.initialize": [{"closeOutput": True}]}, [], [], {"handshake.good"}),
    "operation of plugin": (
        misbehaving(**{"plugin.initialize": [{"extraOperation": "plugin.more"}]}),
        [],
        [],
        {"handshake.operations"},
    ),
    "idempotency": (
        misbehaving(**{"plugin.initialize": [{"wrongIdempotent": True}]}),
        [],
        [],
        {"handshake.operations"},
    ),
    "any version": (misbehaving(**{"(version)": [{}]}), [], [], {"handshake.version"}),
    "before the handshake": (misbehaving(**{"(uninitialized)": [{}]}), [], [], {"handshake.first"}),
    "initialized twice": (misbehaving(**{"(again)": [{}]}), [], [], {"handshake.again"}),
    "refused": (misbehaving(**{"(refused)": [{"ignore": True}]}), [], [], {"handshake.refused"}),
    "strict": (
        GOOD,
        ["--reader", "strict"],
        [],
        {"handshake.settings", "handshake.unknown-members", "frames.maximum", "frames.unknown-members"},
    ),
    "one read, one frame": (
        GOOD,
        ["--reader", "reads"],
        [],
        {"frames.split", "frames.joined", "frames.maximum", "calls.two", "calls.sixteen"},
    ),
    "lines of text": (GOOD, ["--reader", "lines"], [], {"handshake.settings", "frames.separators"}),
    "short lines": (GOOD, ["--reader", "small"], [], {"frames.maximum"}),
    "long lines": (GOOD, ["--reader", "big"], [], {"frames.oversize"}),
    "silent at garbage": (
        misbehaving(**{"(invalid)": [{"silent": True}]}),
        [],
        [],
        {"frames.not-json", "frames.invalid"},
    ),
    "ends at garbage": (
        misbehaving(**{"(invalid)": [{"exit": 1}]}),
        [],
        [],
        {"frames.not-json", "frames.invalid"},
    ),
    "ids as text": (status(textID=True), [], ["--only", "operation", "--only", "output"], {
        "operation.power.status",
    }),
    "wrong id": (status(wrongID=True), [], ["--only", "operation", "--only", "output"], {
        "operation.power.status",
    }),
    "ids of ping": (misbehaving(**{"plugin.ping": [{}, {"textID": True}]}), [], ["--only", "frames.ids"], {
        "frames.ids",
    }),
    "ping without ready": (misbehaving(**{"plugin.ping": [{"reply": {}}]}), [], ["--only", "calls.ping"], {
        "handshake.good",
    }),
    "unknown method": (misbehaving(**{"(unknown)": [{}]}), [], [], {"calls.unknown-method"}),
    "unknown notification": (
        misbehaving(**{"(notification)": [{"exit": 0}]}),
        [],
        [],
        {"calls.unknown-notification"},
    ),
    "hangs": (status(hang=True), [], [], {
        "calls.cancel", "calls.two", "calls.ping-while-busy", "frames.unknown-members", "operation.power.status",
    }),
    "one thing at a time": (status(block=True), [], [], LONG | {
        "life.terminate-while-busy", "operation.power.status",
    }),
    "late after cancel": (status(late=3000), [], ["--timeout", "5"], {"calls.cancel"}),
    "ignores cancel": (status(slow=3000, ignoreCancel=True), [], ["--timeout", "5"], {"calls.cancel"}),
    "cancelled twice": (
        status(slow=300, cancelTwice=True),
        [],
        [],
        {"calls.cancel", "output.answered-once"},
    ),
    "answers twice": (status(twice=True), [], [], {"calls.cancel", "output.answered-once"}),
    "dies at cancel": (
        misbehaving(**{"(cancel)": [{"exit": 0}]}),
        [],
        [],
        {"calls.cancel", "calls.cancel-unknown"},
    ),
    "garbage": (status(garbage=True), [], [], {"output.frames-only"}),
    "stray print": (status(stdoutText="called\n"), [], [], {"output.frames-only"}),
    "empty line": (status(stdoutText="\n"), [], [], {"output.frames-only"}),
    "rest without line feed": (
        misbehaving(**{"(end)": [{"stdoutText": "bye"}]}),
        [],
        [],
        {"output.frames-only"},
    ),
    "result and error": (status(both=True), [], ["--only", "operation", "--only", "output"], {
        "operation.power.status", "output.envelope",
    }),
    "neither": (status(neither=True), [], ["--only", "operation", "--only", "output"], {
        "operation.power.status", "output.envelope",
    }),
    "no jsonrpc": (status(noVersion=True), [], ["--only", "operation", "--only", "output"], {
        "operation.power.status", "output.envelope",
    }),
    "result is no object": (
        {STATUS: [{"reply": ["none"]}]},
        [],
        [],
        {"operation.power.status", "output.envelope"},
    ),
    "wrong result": ({STATUS: [{"reply": {"preparing": "maybe"}}]}, [], [], {"operation.power.status"}),
    "oversize": (status(oversize=True), [], ["--only", "operation", "--only", "output"], {
        "operation.power.status", "output.size",
    }),
    "calls the core": (
        status(stdoutText='{"jsonrpc":"2.0","id":1,"method":"core.reboot","params":{}}\n'),
        [],
        [],
        {"output.no-calls"},
    ),
    "unknown reason": (
        {STATUS: [{"error": {"reason": "mercury", "message": "retrograde"}}]},
        [],
        [],
        {"output.errors"},
    ),
    "unknown code": (
        {STATUS: [{"error": {"code": 7, "message": "seven"}}]},
        [],
        ["--only", "operation", "--only", "output"],
        {"operation.power.status", "output.errors"},
    ),
    "crash": (status(crash=True), [], ["--only", "operation", "--only", "output"], {"operation.power.status"}),
    "takes anything": (
        {},
        ["--operations", "led.blink"],
        ["--allow", "led.blink"],
        {"operation.led.blink.arguments"},
    ),
    "leaves": (misbehaving(**{"plugin.initialize": [{"exitAfter": 700}]}), [], ["--only", "life.stays"], {"life.stays"}),
    "stays after shutdown": (
        misbehaving(**{"plugin.shutdown": [{"ignoreEnd": True}]}),
        [],
        [],
        {"life.shutdown"},
    ),
    "shutdown unanswered": (misbehaving(**{"plugin.shutdown": [{"exit": 0}]}), [], [], {"life.shutdown"}),
    "stays at the end": (misbehaving(**{"(end)": [{"ignore": True}]}), [], [], END),
    "slow at the end": (misbehaving(**{"(end)": [{"late": 8000}]}), [], ["--only", "life.end-of-input"], {
        "life.end-of-input",
    }),
    "fails at the end": (misbehaving(**{"(end)": [{"exit": 3}]}), [], [], END),
    "stays at SIGTERM": (
        misbehaving(**{"(terminate)": [{"ignore": True}]}),
        [],
        ["--only", "life.terminate"],
        {"life.terminate", "life.terminate-while-busy"},
    ),
    "fails at SIGTERM": (
        misbehaving(**{"(terminate)": [{"exit": 1}]}),
        [],
        [],
        {"life.terminate", "life.terminate-while-busy"},
    ),
    "waits on a terminal": (GOOD, ["--terminal", "serve"], ["--only", "life.terminal"], {"life.terminal"}),
}


#: What else these fail depends on which frames happen to come in one read.
TIMING = {"one read, one frame"}


@pytest.fixture(scope="module")
def verdicts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Conformance]]]:
    """The kit's verdict on each fault that was asked for. They mostly wait, so they run side by side."""
    items = [item for item in request.session.items if "verdicts" in getattr(item, "fixturenames", ())]
    wanted = {item.callspec.params["fault"] for item in items}  # type: ignore[attr-defined]

    # All are written before the first is started: an executable that a fork holds open for writing cannot be executed.
    plugins = {}
    for fault, (script, options, _, _) in FAULTS.items():
        if fault in wanted:
            plugins[fault] = scripted(tmp_path_factory.mktemp("fault"), script, "--operations", STATUS, *options)
    with ThreadPoolExecutor(max_workers=6) as pool:
        yield {
            fault: pool.submit(check, plugin, "--timeout", "1", *FAULTS[fault][2]) for fault, plugin in plugins.items()
        }


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fails_under_its_id(fault: str, verdicts: dict[str, Future[Conformance]]) -> None:
    expected = FAULTS[fault][-1]
    result = verdicts[fault].result(timeout=200)
    if fault in TIMING:
        assert set(result.failed) >= expected, result.output
    else:
        assert set(result.failed) == expected, result.output
    assert result.status == 1


def test_every_id_is_failed_by_some_fault() -> None:
    shown = set().union(*(expected for *_, expected in FAULTS.values()))
    never = {
        # Faults of the kind would need a JSON parser or a table of calls that is broken in a special way.
        "handshake.versions", "frames.no-params", "frames.white-space", "calls.ping", "calls.sixteen",
        "calls.order",
    }  # fmt: skip
    assert ALL - shown <= never, sorted(ALL - shown - never)


def test_a_plugin_without_faults_passes_everything(tmp_path: Path) -> None:
    result = check(scripted(tmp_path, GOOD, "--operations", STATUS), "--timeout", "2")
    assert result.failed == [] and result.skipped == {}, result.output
    assert set(result.passed) == ALL | {"operation.power.status"}
    assert result.status == 0


def test_noise_on_standard_error_is_no_fault(tmp_path: Path) -> None:
    plugin = scripted(tmp_path, status(floodErr=20_000, slow=50), "--operations", STATUS)
    result = check(plugin, "--timeout", "5", "--only", "operation", "--only", "output")
    assert result.failed == [], result.output


def test_notifications_are_no_fault(tmp_path: Path) -> None:
    plugin = scripted(tmp_path, status(flood=500), "--operations", STATUS)
    result = check(plugin, "--timeout", "5", "--only", "operation", "--only", "output")
    assert result.failed == [], result.output


def test_nothing_that_may_change_the_host_is_called_unless_named(tmp_path: Path) -> None:
    dangerous = [
        "power.reboot", "power.power-off", "hostname.set", "proxy.set", "proxy.clear", "led.blink", "tcp-ping.enable",
        "tcp-ping.disable", "storage.reap",
    ]  # fmt: skip
    plugin = scripted(tmp_path, {"*": [{}]}, "--operations", " ".join([*dangerous, "hostname.get"]))
    result = check(plugin, "--timeout", "1")
    journal = [json.loads(line) for line in (tmp_path / "journal").read_text().rstrip("\n").split("\n")]
    called = {entry["method"] for entry in journal if entry["event"] == "received" and "method" in entry}
    assert {f"operation.{name}" for name in dangerous} <= set(result.skipped)
    # A call before the handshake can do no harm: -32002 is the only answer that a plugin could have.
    before = {dangerous[0]}
    assert not called & set(dangerous) - before, called
    assert "hostname.get" in called


def test_an_operation_that_is_named_is_called_with_its_params(tmp_path: Path) -> None:
    plugin = scripted(tmp_path, {"*": [{}]}, "--operations", "led.blink storage.reap")
    check(plugin, "--timeout", "1", "--only", "operation", "--call", 'led.blink={"durationMs":7}')
    journal = (tmp_path / "journal").read_text()
    assert '"method":"led.blink","id":2,"params":{"durationMs":7}' in journal
    assert "storage.reap" not in journal


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "which plugin?"),
        (["--no-such-option", "x", "y"], "there is no option --no-such-option"),
        (["--setting", "novalue", "/bin/true"], "KEY=VALUE"),
        (["--call", "led.blink=[1]", "/bin/true"], "OPERATION=JSON"),
        (["--timeout", "0", "/bin/true"], "--timeout"),
        (["--timeout"], "needs a value"),
        (["/bin/true", "/bin/false"], "only one plugin can be tested at a time"),
        (["/nonexistent"], "No such file"),
        (["/etc/passwd"], "Permission denied"),
    ],
)
def test_wrong_use_is_64_with_a_word_why(arguments: list[str], complaint: str) -> None:
    done = subprocess.run(
        [str(binary("supervisor-plugin-check")), *arguments], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 64
    assert done.stdout == ""
    assert complaint in done.stderr


def test_help_and_the_list_of_ids() -> None:
    run = lambda option: subprocess.run(  # noqa: E731
        [str(binary("supervisor-plugin-check")), option], capture_output=True, text=True, timeout=20
    )
    assert run("--help").returncode == 0 and "--allow OPERATION" in run("--help").stdout
    listed = {line.split(":")[0] for line in run("--list").stdout.splitlines()}
    assert listed == ALL | {"operation.NAME", "operation.NAME.arguments"}


# --- Plugins that keep the protocol


def passes(result: Any, skipped: set[str] = frozenset()) -> None:
    assert result.failed == [], result.output
    assert set(result.skipped) <= skipped, result.output
    assert ALL <= set(result.ids), result.output
    assert result.status == 0


def slow_command(folder: Path) -> Path:
    command = folder / "slow"
    command.write_text("#!/bin/sh\necho $1 >>$(dirname $0)/began\nsleep 2\necho $1 >>$(dirname $0)/done\n")
    command.chmod(0o755)
    return command


@pytest.fixture
def led(tmp_path: Path) -> Path:
    led = tmp_path / "led"
    led.mkdir()
    (led / "brightness").write_text("0\n")
    (led / "max_brightness").write_text("1\n")
    (led / "trigger").write_text("none [heartbeat] timer\n")
    return led


@pytest.mark.alone
def test_the_bash_example_passes_with_a_call_that_takes_long(tmp_path: Path) -> None:
    result = check(
        EXAMPLES / "bash" / "etc-hostname",
        "--name=etc-hostname",
        f"--setting=File={tmp_path}/hostname",
        f"--setting=Command={slow_command(tmp_path)}",
        '--call=hostname.set={"hostname":"board-1"}',
    )
    passes(result)
    assert "had already finished" not in result.output
    assert (tmp_path / "hostname").read_text() == "board-1\n"
    # Cancelled ones, and those whose caller went away, have been stopped.
    began, done = ((tmp_path / name).read_text().count("board-1") for name in ("began", "done"))
    assert began > done > 0


def test_the_bash_example_reads_what_it_has_written(tmp_path: Path) -> None:
    file = tmp_path / "hostname"
    file.write_text("first\n")
    with Exchange(EXAMPLES / "bash" / "etc-hostname", {"File": str(file), "Command": "true"}) as plugin:
        assert plugin.call("hostname.get")["result"] == {"hostname": "first"}
        assert plugin.call("hostname.set", {"hostname": "second.example"})["result"] == {}
        assert file.read_text() == "second.example\n"
        assert plugin.call("hostname.get")["result"] == {"hostname": "second.example"}
        for bad in ["", "-", "a b", "a\n", "$(touch x)", "a" * 65, 7, None, ["a"]]:
            error = plugin.call("hostname.set", {"hostname": bad})["error"]
            assert error["data"]["reason"] == "invalid-argument", bad
        assert file.read_text() == "second.example\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hostname"]


def test_the_bash_example_says_why_it_failed(tmp_path: Path) -> None:
    with Exchange(EXAMPLES / "bash" / "etc-hostname", {"File": "/proc/nowhere/x", "Command": "true"}) as plugin:
        error = plugin.call("hostname.set", {"hostname": "a"})["error"]
        assert error == {
            "code": -32000,
            "message": "cannot write /proc/nowhere/x",
            "data": {"reason": "failed", "retryable": False},
        }


def test_the_python_example_passes(led: Path) -> None:
    result = check(
        EXAMPLES / "python" / "sysfs-led", "--name=sysfs-led", f"--setting=Path={led}", "--allow=led.blink"
    )
    passes(result)
    assert (led / "trigger").read_text() == "heartbeat"
    assert (led / "brightness").read_text() == "0"


@pytest.mark.parametrize("end", ["input", "SIGTERM"])
def test_the_python_example_puts_the_led_back(led: Path, end: str) -> None:
    with Exchange(EXAMPLES / "python" / "sysfs-led", {"Path": str(led)}) as plugin:
        (led / "brightness").write_text("5\n")
        assert plugin.call("led.blink", {"durationMs": 60_000})["result"] == {}
        wait_until(lambda: (led / "brightness").read_text() == "1", 2, "the LED is on")
        (led / "trigger").write_text("none\n")
        if end == "SIGTERM":
            plugin.process.send_signal(signal.SIGTERM)
            plugin.process.wait(6)
    assert (led / "brightness").read_text() == "5"
    assert (led / "trigger").read_text() == "heartbeat"


def test_the_python_example_without_a_led_says_so() -> None:
    with Exchange(EXAMPLES / "python" / "sysfs-led", {}) as plugin:
        assert plugin.call("led.blink", {"durationMs": 5})["result"] == {"supported": False}


#: Ours: name -> options. What may change this machine is not named here; plugins/test_*.py do that on stand-ins.
PLUGINS: dict[str, Callable[[Path], list[str]]] = {
    "logind": lambda _: [],
    "hostnamed": lambda _: [],
    "redsocks": lambda folder: [
        f"--setting=ConfigFile={folder}/redsocks.conf",
        f"--setting=NoProxyFile={folder}/no-proxy",
    ],
    "led": lambda folder: [f"--setting=Path={folder}/led", "--allow=led.blink"],
    "tcp-ping": lambda _: ["--setting=Target=127.0.0.1:9", "--allow=tcp-ping.enable", "--allow=tcp-ping.disable"],
    "storage": lambda folder: [
        f"--setting=DataDirectory={folder}/data",
        f"--setting=LockDirectory={folder}/locks",
        "--allow=storage.reap",
    ],
}


@pytest.mark.parametrize("name", PLUGINS)
def test_our_plugins_pass(name: str, led: Path, tmp_path: Path) -> None:
    for folder in ("data/.purge-1/a", "locks/.stale-1"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "redsocks.conf").write_text("")
    result = check(binary(f"supervisor-plugin-{name}"), f"--name={name}", *PLUGINS[name](tmp_path))
    only_named = {f"operation.{operation}{suffix}" for suffix in ("", ".arguments") for operation in (
        "power.reboot", "power.power-off", "hostname.set", "proxy.set", "proxy.clear", "storage.lock-space",
    )}  # fmt: skip
    passes(result, skipped=only_named)


# --- Through a socket


@pytest.fixture
def socket_unit(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """systemd-socket-activate stands for a unit with Accept=yes and StandardInput=socket."""
    started: list[subprocess.Popen[bytes]] = []

    def listen(program: Path) -> Path:
        path = tmp_path / f"socket{len(started)}"
        command = ["systemd-socket-activate", "--accept", "--inetd", "-l", str(path), str(program)]
        with open(tmp_path / "units.log", "ab") as log:
            started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        wait_until(path.exists, 5, "the socket")
        return path

    yield listen
    for process in started:
        process.terminate()
        process.wait(5)


@pytest.mark.parametrize("name", ["bash", "python", "led"])
def test_the_same_executable_passes_through_a_socket(
    name: str, led: Path, tmp_path: Path, socket_unit: Callable[[Path], Path]
) -> None:
    programs = {
        "bash": EXAMPLES / "bash" / "etc-hostname",
        "python": EXAMPLES / "python" / "sysfs-led",
        "led": binary("supervisor-plugin-led"),
    }
    options = [f"--setting=File={tmp_path}/hostname", f"--setting=Path={led}"]
    result = check(f"--socket={socket_unit(programs[name])}", *options)
    passes(
        result,
        skipped={
            "life.terminate", "life.terminate-while-busy", "life.terminal", "operation.hostname.set",
            "operation.hostname.set.arguments", "operation.led.blink", "operation.led.blink.arguments",
            "calls.ping-while-busy", "life.end-while-busy",
        },  # fmt: skip
    )


def test_a_socket_that_is_not_there_fails_the_handshake(tmp_path: Path) -> None:
    result = check(f"--socket={tmp_path}/none", "--timeout", "1")
    assert "handshake.good" in result.failed
    assert result.status == 1


class Exchange:
    """A plugin that is through the handshake, spoken to from here: a second implementation of the frames."""

    def __init__(self, program: Path, settings: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.last = 0
        answer = self.call(
            "plugin.initialize",
            {
                "protocolVersions": [1],
                "supervisor": {"name": "test", "version": "1"},
                "deviceType": "",
                "settings": settings,
            },
        )
        assert answer["result"]["protocolVersion"] == 1
        self.write({"jsonrpc": "2.0", "method": "plugin.initialized", "params": {"accepted": True}})

    def write(self, frame: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(frame).encode() + b"\n")
        self.process.stdin.flush()

    def call(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        self.last += 1
        self.write({"jsonrpc": "2.0", "id": self.last, "method": method, "params": parameters or {}})
        assert self.process.stdout
        answer = json.loads(self.process.stdout.readline())
        assert answer["id"] == self.last
        return answer

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        began = time.monotonic()
        if self.process.stdin:
            self.process.stdin.close()
        try:
            assert self.process.wait(6) == 0
            assert time.monotonic() - began < 5.5
        finally:
            self.process.kill()
            self.process.wait()
