"""The board in QEMU: a kernel and a LED of its own, and control groups that hold what they say."""

from __future__ import annotations

import time
from typing import Callable

import pytest

from harness.device import Machine
from harness.waiting import wait_until

LED = "/sys/class/leds/input0::capslock"
TRIGGER = f"sed 's/.*\\[\\(.*\\)\\].*/\\1/' {LED}/trigger"


@pytest.fixture
def bare_board(shared_board: Machine) -> Machine:
    if shared_board.status["state"] != "running":
        shared_board.up()
    return shared_board


@pytest.fixture
def board(bare_board: Machine) -> Machine:
    if not bare_board.facts["packages"]:
        pytest.skip("no packages: make deb builds them")
    bare_board.wait_pings(120)
    return bare_board


def test_the_board_is_up_with_a_led_and_docker(bare_board: Machine, measured: Callable[[str], None]) -> None:
    assert bare_board.sh("systemctl is-system-running") == "running"
    assert bare_board.sh(f"cat {LED}/max_brightness") == "1"
    assert bare_board.sh("docker run --rm supervisor-demo:1 /bin/echo hello", timeout=180) == "hello"
    measured("board: " + bare_board.sh("systemd-analyze time | head -1"))


def count_toggles(board: Machine, seconds: float) -> int:
    """How often the LED's brightness changes, as seen by a loop that starts no process."""
    script = (
        f"n=0; read -r old <{LED}/brightness; end=$((${{EPOCHREALTIME/./}} + {int(seconds * 1e6)})); "
        f"while ((${{EPOCHREALTIME/./}} < end)); do read -r now <{LED}/brightness; "
        '[[ $now == "$old" ]] || { ((++n)); old=$now; }; read -rt 0.02 <> <(:) || :; done; echo $n'
    )
    return int(board.sh(script, timeout=seconds + 60))


def test_blink_toggles_the_led_and_puts_it_back(board: Machine, measured: Callable[[str], None]) -> None:
    before = board.sh(TRIGGER)
    assert before != "none"
    assert board.api("POST", "/v1/blink", seconds=30).status == 200
    toggles = count_toggles(board, 14)
    measured(f"LED of the board: {toggles} toggles in 14 s")
    # 2.5 times a second it is on, and as often off.
    assert abs(toggles / 14 - 5) <= 0.5
    wait_until(lambda: board.sh(TRIGGER) == before, 20, "the trigger is back")


def test_a_killed_led_plugin_leaves_the_led_as_it_was(board: Machine) -> None:
    before = board.sh(TRIGGER)
    assert board.api("POST", "/v1/blink", seconds=30).status == 200
    wait_until(lambda: board.sh(TRIGGER) == "none", 10, "it blinks")
    board.sh("systemctl kill -s KILL 'supervisor-plugin-led@*'")
    wait_until(lambda: board.sh(TRIGGER) == before, 60, "the trigger is back")


def test_the_boards_users_are_refused_what_is_not_theirs(board: Machine) -> None:
    boot = board.boot_id
    login1 = "org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager"
    hostname1 = "org.freedesktop.hostname1 /org/freedesktop/hostname1 org.freedesktop.hostname1"
    for user in ("supervisor", "supervisor-led", "supervisor-tcp-ping", "nobody"):
        for call in (f"{login1} Reboot b false", f"{hostname1} SetStaticHostname sb stolen false"):
            done = board.run("busctl", "call", *call.split(), user=user)
            assert done.status != 0, (user, call)
    for user, may in {"supervisor": False, "nobody": False, "supervisor-led": True}.items():
        for file in ("brightness", "trigger"):
            assert (board.run("test", "-w", f"{LED}/{file}", user=user).status == 0) == may, (user, file)
    assert board.boot_id == boot


def test_the_units_limits_are_in_force(board: Machine) -> None:
    assert int(board.show("supervisor", "TasksCurrent")) <= int(board.show("supervisor", "TasksMax"))
    board.sh("supervisorctl call hostname.get")
    (unit,) = board.sh(
        "systemctl list-units --no-legend --plain --state running 'supervisor-plugin-hostnamed@*' | cut -d' ' -f1"
    ).split()
    assert 0 < int(board.show(unit, "MemoryCurrent")) < int(board.show(unit, "MemoryMax")) == 64 << 20


def test_reboot_and_power_off_of_the_board_are_real(board: Machine) -> None:
    boots, before = board.status["boots"], board.boot_id
    assert board.api("POST", "/v1/reboot", seconds=60).status in (0, 202)
    board.wait_state("running", 420, boots=boots + 1)
    assert board.boot_id != before
    board.wait_pings(120)
    assert board.api("POST", "/v1/shutdown", seconds=60).status in (0, 202)
    board.wait_state("off", 120)
    time.sleep(1)
    assert board.status["boots"] == boots + 1
