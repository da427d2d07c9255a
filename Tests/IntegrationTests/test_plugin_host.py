"""What the core does with plugins that misbehave, come, go, and change."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness.engine import Engine
from harness.plugins import OPERATIONS, PingProbe, Plugins, Scripted, executable
from harness.reporting import note_measured
from harness.supervisor import Supervisor
from harness.waiting import stays, wait_until

#: What a call may take at most with this deadline, and what the core needs around it.
CALL_TIMEOUT = 1
GRACE = 1.5


class Bench:
    """A device without apps whose LED and host name are scripted plugins: `led` misbehaves, `hostnamed` is the neighbour."""

    def __init__(self, supervisor: Supervisor, through_socket: bool) -> None:
        self.supervisor = supervisor
        self.plugins = Plugins(supervisor)
        options: dict[str, Any] = {"CallTimeoutSec": CALL_TIMEOUT, "StartTimeoutSec": 3, "StopTimeoutSec": 1}
        self.led = self.plugins.scripted("led", through_socket=through_socket, **options)
        self.neighbour = self.plugins.scripted("hostnamed", through_socket=through_socket, **options)
        self.neighbour.script({"hostname.get": [{"reply": {"hostname": "neighbour"}}]})

    def blink(self) -> int:
        return self.supervisor.api("POST", "/v1/blink", timeout=30).status

    def neighbour_answers(self) -> float:
        begin = time.monotonic()
        status, text = self.plugins.call("hostname.get")
        assert status == 0 and "neighbour" in text, text
        return time.monotonic() - begin

    def works_again(self, deadline: float = 15) -> None:
        """The breaker is closed by a reload, and the LED blinks."""
        self.led.script({})
        assert self.supervisor.ctl("reload").returncode == 0
        wait_until(lambda: self.blink() == 200, deadline, "the LED blinks again")


@pytest.fixture(scope="module")
def pings() -> Iterator[list[float]]:
    """How long /ping took while plugins misbehaved, in seconds; told at the end of the run."""
    times: list[float] = []
    yield times
    if times:
        times.sort()
        share = [times[int(len(times) * part)] * 1000 for part in (0.5, 0.99)]
        note_measured(
            f"/ping, connect included, while plugins misbehave, {len(times)} times: median {share[0]:.1f} ms, "
            f"99 % under {share[1]:.1f} ms, worst {times[-1] * 1000:.1f} ms"
        )


@pytest.fixture(params=["exec", "socket"])
def bench(request: pytest.FixtureRequest, engine: Engine, new_supervisor: Callable[..., Supervisor]) -> Iterator[Bench]:
    bench = Bench(new_supervisor(engine), request.param == "socket")
    bench.supervisor.start()
    yield bench
    for activation in bench.plugins.activations:
        print(activation.process.log[-2000:])
    bench.plugins.dispose()


#: What the plugin does to a call; whether the call itself may succeed.
FAULTS: list[tuple[dict[str, Any], bool]] = [
    ({"hang": True}, False),
    ({"crash": True}, False),
    ({"exit": 3}, False),
    ({"exit": 0}, False),
    ({"garbage": True}, False),
    ({"garbage": "\u2028not a frame\u2028"}, False),
    ({"oversize": True}, False),
    ({"slow": 5000, "reply": {}}, False),
    ({"late": 1500, "reply": {}}, False),
    ({"flood": "forever"}, False),
    ({"flood": 20000, "reply": {}}, True),
    ({"floodErr": True, "reply": {}}, True),
    ({"floodErr": 100000, "reply": {}}, True),
    ({"twice": True, "reply": {}}, True),
    ({"wrongID": True}, False),
    ({"both": True}, False),
    ({"neither": True}, False),
    ({"noVersion": True}, False),
    ({"closeOutput": True}, False),
    ({"closeInput": True, "reply": {}}, True),
    ({"stopReading": True}, False),
    ({"block": True}, False),
    ({"stdoutText": "half a line"}, False),
    ({"ignoreCancel": True, "hang": True}, False),
]


@pytest.mark.alone
@pytest.mark.parametrize("fault, may_succeed", FAULTS, ids=lambda value: str(value)[:40])
def test_a_misbehaving_plugin_costs_its_caller_the_deadline_and_everybody_else_nothing(
    bench: Bench, pings: list[float], fault: dict[str, Any], may_succeed: bool
) -> None:
    assert bench.blink() == 200
    bench.neighbour_answers()
    memory = resident(bench.supervisor.pid)
    bench.led.script({"led.blink": [fault]})
    with PingProbe(bench.supervisor) as probe, concurrent.futures.ThreadPoolExecutor() as pool:
        begin = time.monotonic()
        call = pool.submit(bench.blink)
        neighbour = bench.neighbour_answers()
        status = call.result(30)
        took = time.monotonic() - begin
    assert status in ((200, 500, 503, 504) if may_succeed else (500, 503, 504)), status
    # An idempotent call may be tried once more within the same deadline.
    assert took < CALL_TIMEOUT + GRACE, f"{took:.2f} s"
    pings += probe.times
    assert neighbour < 1, f"the neighbour needed {neighbour:.2f} s"
    assert probe.percentile(0.98) < 0.05 and probe.worst < 0.2, f"/ping took up to {probe.worst:.3f} s"
    assert resident(bench.supervisor.pid) - memory < 4_000_000
    assert bench.neighbour.pids == bench.neighbour.pids[:1], "the neighbour was started again"
    bench.works_again()


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.alone
def test_a_plugin_that_dies_after_any_number_of_bytes_harms_nobody(bench: Bench) -> None:
    assert bench.blink() == 200
    whole = len('{"jsonrpc":"2.0","id":1,"result":{}}\n')
    with PingProbe(bench.supervisor) as probe:
        for count in range(whole + 2):
            bench.led.script({"led.blink": [{"dieAfterBytes": count, "reply": {}}]})
            status = bench.blink()
            # The reload also keeps the breaker out of it.
            assert status in ((200, 500, 503) if count >= whole - 1 else (500, 503)), (count, status)
            bench.works_again()
    assert probe.percentile(0.98) < 0.05, f"{probe.worst}"


HANDSHAKES: list[tuple[dict[str, Any], str]] = [
    ({"badVersion": True}, "version"),
    ({"wrongName": True}, "somebody-else"),
    ({"extraOperation": True}, "power.reboot"),
    ({"error": {"reason": "failed", "message": "no LED driver"}}, "no LED driver"),
    ({"garbage": True}, ""),
    ({"hang": True}, ""),
    ({"crash": True}, ""),
    ({"oversize": True}, ""),
    ({"wrongID": True}, ""),
]


@pytest.mark.parametrize("fault, reason", HANDSHAKES, ids=lambda value: str(value)[:40])
def test_a_handshake_that_fails_is_told_and_backs_off(bench: Bench, fault: dict[str, Any], reason: str) -> None:
    bench.led.script({"plugin.initialize": [fault]})
    begin = time.monotonic()
    assert bench.blink() in (500, 503, 504)
    assert time.monotonic() - begin < 5
    state = wait_until(
        lambda: (s := bench.plugins.states()["led"])["state"] in ("backing-off", "tripped", "idle") and s, 10, "it failed"
    )
    assert state["failures"] >= 1 and reason in (state["reason"] or ""), state
    bench.works_again()


def test_five_failures_trip_the_breaker_and_a_reload_closes_it(bench: Bench) -> None:
    bench.led.script({"led.blink": [{"crash": True}]})

    def tripped() -> bool:
        bench.blink()
        return bench.plugins.states()["led"]["state"] == "tripped"

    wait_until(tripped, 60, "the breaker has tripped")
    state = bench.plugins.states()["led"]
    assert state["failures"] >= 5 and state["nextAttemptSec"] is not None, state
    pids = len(bench.led.pids)
    begin = time.monotonic()
    assert bench.blink() == 503
    assert time.monotonic() - begin < 0.5, "a tripped plugin answers at once"
    assert len(bench.led.pids) == pids, "and is not started"
    bench.works_again()


def test_sixteen_calls_go_at_once_and_the_next_one_waits(bench: Bench) -> None:
    bench.led.script({"led.blink": [{"slow": 400, "reply": {}}]})
    assert bench.blink() == 200
    before = len(bench.led.received("led.blink"))
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(bench.blink) for _ in range(20)]
        wait_until(lambda: len(bench.led.received("led.blink")) - before == 16, 5, "16 are under way")
        assert {call.result(10) for call in calls} == {200}
    times = [entry["ms"] for entry in bench.led.received("led.blink")[before:]]
    assert len(times) == 20 and times[16] - times[0] >= 300, times


def test_an_idle_plugin_on_demand_is_ended_by_the_core_and_comes_back(
    engine: Engine, new_supervisor: Callable[..., Supervisor]
) -> None:
    supervisor = new_supervisor(engine)
    plugins = Plugins(supervisor)
    led = plugins.scripted("led", IdleTimeoutSec=1)
    supervisor.start()
    assert plugins.states()["led"]["state"] == "idle" and led.pids == []
    assert supervisor.api("POST", "/v1/blink").status == 200
    assert plugins.states()["led"]["state"] == "ready"
    plugins.wait_state("led", "idle", 5)
    wait_until(lambda: not Path(f"/proc/{led.pids[0]}").exists(), 5, "its process is gone")
    assert [entry["event"] for entry in led.journal][-1] in ("end", "exit")
    assert supervisor.api("POST", "/v1/blink").status == 200
    assert len(led.pids) == 2


def test_a_persistent_plugin_is_up_from_the_start_and_again_after_it_died(
    engine: Engine, new_supervisor: Callable[..., Supervisor]
) -> None:
    supervisor = new_supervisor(engine)
    plugins = Plugins(supervisor)
    led = plugins.scripted("led", Lifecycle="persistent")
    supervisor.start()
    first = plugins.wait_state("led", "ready")["pid"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(led.pids) == 2, 5, "it was started again")
    assert plugins.wait_state("led", "ready")["pid"] != first
    supervisor.stop()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in led.pids), 8, "it ended with the core")


def test_a_plugin_does_not_outlive_a_killed_core(engine: Engine, new_supervisor: Callable[..., Supervisor]) -> None:
    supervisor = new_supervisor(engine)
    plugins = Plugins(supervisor)
    plugins.scripted("led", Lifecycle="persistent")
    supervisor.start()
    pid = plugins.wait_state("led", "ready")["pid"]
    supervisor.kill()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 6, "the plugin has seen the end of its input")


def test_what_a_plugin_writes_to_stderr_is_in_the_log_with_its_name(
    engine: Engine, new_supervisor: Callable[..., Supervisor]
) -> None:
    supervisor = new_supervisor(engine)
    plugins = Plugins(supervisor)
    led = plugins.scripted("led")
    led.script({"led.blink": [{"stderrText": "<4>[led.blink 7] the LED is dim", "reply": {}}]})
    supervisor.start()
    assert supervisor.api("POST", "/v1/blink").status == 200
    supervisor.logged("the LED is dim")
    line = next(line for line in supervisor.log.splitlines() if "the LED is dim" in line)
    assert line.startswith("<4>") and "plugin=led" in line and "led.blink" in line, line


# ---- the socket launcher


def test_a_socket_that_is_absent_appears_and_vanishes(
    engine: Engine, new_supervisor: Callable[..., Supervisor]
) -> None:
    supervisor = new_supervisor(engine)
    plugins = Plugins(supervisor)
    socket = plugins.root / "led.sock"
    led = plugins.scripted("led", operations=OPERATIONS["led"])
    plugins.manifest("led", OPERATIONS["led"], socket=socket, settings=led.settings, Lifecycle="persistent")
    supervisor.start()
    state = plugins.wait_state("led", "absent")
    assert str(socket) in state["reason"] and state["failures"] == 0, state
    assert supervisor.api("POST", "/v1/blink").status == 503

    activation = plugins.activate(socket, [executable("scripted")])
    plugins.wait_state("led", "ready")
    assert supervisor.api("POST", "/v1/blink").status == 200

    # As `systemctl stop` of the socket and of its instances does it.
    activation.stop()
    led.kill_all()
    plugins.wait_state("led", "absent")
    plugins.activate(socket, [executable("scripted")])
    plugins.wait_state("led", "ready", deadline=15)

    # A masked socket unit leaves a file behind that nobody listens on.
    plugins.activations[-1].process.kill()
    led.kill_all()
    plugins.wait_state("led", "absent")


# ---- swapping


@pytest.fixture
def swap(engine: Engine, new_supervisor: Callable[..., Supervisor]) -> Iterator[tuple[Supervisor, Plugins, Scripted]]:
    """A device of type `board-a` with a persistent led and hostnamed, both ready."""
    supervisor = new_supervisor(engine, settings={"Device": {"DeviceType": "board-a"}})
    plugins = Plugins(supervisor)
    led = plugins.scripted("led", Lifecycle="persistent")
    plugins.scripted("hostnamed", Lifecycle="persistent")
    supervisor.start()
    plugins.wait_state("led", "ready")
    plugins.wait_state("hostnamed", "ready")
    yield supervisor, plugins, led
    plugins.dispose()


def reload(supervisor: Supervisor) -> None:
    done = supervisor.ctl("reload")
    assert done.returncode == 0, done.stderr


def story(supervisor: Supervisor, name: str) -> str:
    """The line of `superctl plugins` about a plugin."""
    lines = supervisor.ctl("plugins").stdout.splitlines()
    return next(line for line in lines if line.split()[:1] == [name])


def test_a_reload_without_a_change_touches_no_plugin(swap: tuple[Supervisor, Plugins, Scripted]) -> None:
    supervisor, plugins, led = swap
    before = {name: state["pid"] for name, state in plugins.states().items()}
    reload(supervisor)
    assert {name: state["pid"] for name, state in plugins.states().items()} == before
    assert len(led.pids) == 1


def test_a_mask_in_etc_ends_the_plugin_and_its_going_brings_it_back(swap: tuple[Supervisor, Plugins, Scripted]) -> None:
    supervisor, plugins, led = swap
    neighbour = plugins.states()["hostnamed"]["pid"]
    mask = plugins.high / "led.plugin"
    mask.symlink_to("/dev/null")
    reload(supervisor)
    state = plugins.wait_state("led", "masked")
    assert str(mask) in state["reason"]
    assert "masked" in story(supervisor, "led")
    assert supervisor.api("POST", "/v1/blink").header("X-Supervisor-Led") == "none"
    assert plugins.call("led.blink", {"durationMs": 1})[0] == 1
    wait_until(lambda: not Path(f"/proc/{led.pids[0]}").exists(), 8, "its process is gone")
    mask.unlink()
    reload(supervisor)
    plugins.wait_state("led", "ready")
    assert plugins.states()["hostnamed"]["pid"] == neighbour


def test_a_manifest_for_another_board_is_unmatched(swap: tuple[Supervisor, Plugins, Scripted]) -> None:
    supervisor, plugins, led = swap
    plugins.manifest("led", OPERATIONS["led"], executable("scripted"), settings=led.settings, match="board-* !board-a")
    reload(supervisor)
    state = plugins.wait_state("led", "unmatched")
    assert "board-a" in state["reason"]
    assert "unmatched" in story(supervisor, "led")
    assert supervisor.api("POST", "/v1/blink").header("X-Supervisor-Led") == "none"


def test_a_drop_in_that_changes_a_setting_restarts_that_plugin_alone(swap: tuple[Supervisor, Plugins, Scripted]) -> None:
    supervisor, plugins, led = swap
    neighbour = plugins.states()["hostnamed"]["pid"]
    plugins.drop_in("led", "[Settings]\nColour=green\n")
    reload(supervisor)
    wait_until(lambda: len(led.pids) == 2, 8, "it was started again")
    plugins.wait_state("led", "ready")
    assert led.received("plugin.initialize")[-1]["params"]["settings"]["Colour"] == "green"
    assert plugins.states()["hostnamed"]["pid"] == neighbour


def test_of_two_providers_of_equal_priority_neither_is_used(swap: tuple[Supervisor, Plugins, Scripted]) -> None:
    supervisor, plugins, _ = swap
    other = plugins.scripted("other-led", OPERATIONS["led"], Lifecycle="persistent")
    reload(supervisor)
    wait_until(lambda: "other-led" in plugins.states(), 5, "the second one is there")
    for name, rival in (("led", "other-led"), ("other-led", "led")):
        state = plugins.states()[name]
        assert state["used"] == [] and rival in (state["reason"] or "") and "led.blink" in state["reason"], state
        assert "priority" in story(supervisor, name).lower()
    assert supervisor.api("POST", "/v1/blink").status == 503
    supervisor.logged("priority")
    assert other.received("led.blink") == []

    plugins.manifest(
        "other-led", OPERATIONS["led"], executable("scripted"), settings=other.settings, plugin={"Priority": "10"},
        Lifecycle="persistent",
    )
    reload(supervisor)
    wait_until(lambda: plugins.states()["other-led"]["used"] == ["led.blink"], 5, "the higher one is used")
    plugins.wait_state("other-led", "ready")
    assert supervisor.api("POST", "/v1/blink").status == 200
    assert len(other.received("led.blink")) == 1


@pytest.mark.parametrize("what", ["group-writable", "foreign owner", "writable directory", "missing", "a directory", "not executable"])
def test_an_executable_that_others_may_write_is_refused_loudly(
    swap: tuple[Supervisor, Plugins, Scripted], what: str
) -> None:
    supervisor, plugins, led = swap
    folder = supervisor.root / "programs"
    folder.mkdir(mode=0o755)
    program = folder / "led"
    if what == "a directory":
        program.mkdir()
    elif what != "missing":
        program.write_bytes(executable("scripted").read_bytes())
        program.chmod({"group-writable": 0o775, "not executable": 0o644}.get(what, 0o755))
        if what == "foreign owner":
            os.chown(program, 65534, 65534)
        if what == "writable directory":
            folder.chmod(0o777)
    plugins.manifest("led", OPERATIONS["led"], program, settings=led.settings, Lifecycle="persistent")
    reload(supervisor)
    state = wait_until(
        lambda: (s := plugins.states()["led"])["state"] in ("invalid", "backing-off", "tripped") and s, 10, "refused"
    )
    assert str(folder) in state["reason"], state
    supervisor.logged(str(folder))
    assert str(folder) in story(supervisor, "led") or state["reason"][:20] in story(supervisor, "led")
    assert supervisor.api("POST", "/v1/blink").status in (500, 503)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("[Plugin]\nName=led\nProvides=led.blink\n[Launch]\nMode=telnet\n", "Mode"),
        ("[Plugin]\nName=other\nProvides=led.blink\n[Launch]\nMode=exec\nExec=/bin/true\n", "Name"),
        ("[Plugin]\nName=led\n[Launch]\nMode=exec\nExec=/bin/true\n", "Provides"),
        ("[Plugin]\nName=led\nProvides=led.blink\n[Launch]\nMode=exec\nExec=bin/true\n", "Exec"),
        ("[Plugin]\nName=led\nProvides=led.blink\n[Launch]\nMode=socket\n", "Socket"),
        ("[Plugin]\nName=led\nProvides=led.blink\nPriority=high\n[Launch]\nMode=exec\nExec=/bin/true\n", "Priority"),
        ("nonsense\n", "led.plugin:1"),
    ],
)
def test_a_bad_manifest_is_invalid_with_file_line_and_key_and_harms_nobody(
    swap: tuple[Supervisor, Plugins, Scripted], text: str, reason: str
) -> None:
    supervisor, plugins, _ = swap
    neighbour = plugins.states()["hostnamed"]["pid"]
    (plugins.low / "led.plugin").write_text(text)
    supervisor.ctl("reload")
    state = plugins.wait_state("led", "invalid")
    assert reason in state["reason"] and "led.plugin" in state["reason"], state
    assert plugins.states()["hostnamed"]["pid"] == neighbour


def test_a_plugin_that_is_added_and_removed_comes_and_goes(swap: tuple[Supervisor, Plugins, Scripted]) -> None:
    supervisor, plugins, _ = swap
    plugins.scripted("storage", Lifecycle="persistent").script({"storage.reap": [{"reply": {"removed": 0}}]})
    reload(supervisor)
    plugins.wait_state("storage", "ready")
    (plugins.low / "storage.plugin").unlink()
    reload(supervisor)
    assert "storage" not in plugins.states()
    assert plugins.states()["led"]["state"] == "ready"


# ---- health


def test_an_essential_plugin_that_trips_makes_the_device_unhealthy(
    engine: Engine, new_supervisor: Callable[..., Supervisor]
) -> None:
    supervisor = new_supervisor(engine)
    plugins = Plugins(supervisor)
    led = plugins.scripted("led", plugin={"Essential": "yes"}, Lifecycle="persistent")
    led.script({"plugin.initialize": [{"crash": True}]})
    supervisor.start()
    wait_until(lambda: plugins.states()["led"]["state"] == "tripped", 60, "it has tripped")
    healthy, reason = supervisor.healthy()
    assert not healthy and "led" in reason
    led.script({})
    reload(supervisor)
    wait_until(lambda: supervisor.healthy()[0], 10, "it is healthy again")


def test_failures_leave_no_descriptors_behind(bench: Bench) -> None:
    """A hundred failures later the core has as many descriptors as before."""
    assert bench.blink() == 200
    folder = f"/proc/{bench.supervisor.pid}/fd"
    before = len(os.listdir(folder))
    bench.led.script({"led.blink": [{"crash": True}]})
    for _ in range(30):
        bench.blink()
        bench.supervisor.ctl("reload")
    bench.works_again()
    wait_until(lambda: len(os.listdir(folder)) <= before + 2, 10, "the descriptors are closed")
    stays(lambda: bench.blink() == 200, 0.2, "it works")
