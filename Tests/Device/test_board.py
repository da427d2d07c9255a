"""The board in QEMU: a kernel and a LED of its own, and control groups that hold what they say."""

from __future__ import annotations

import time
from typing import Callable

from harness.machine import LED, PORT, Machine
from harness.waiting import wait_until

TRIGGER = f"sed 's/.*\\[\\(.*\\)\\].*/\\1/' {LED}/trigger"


def test_the_board_is_up_with_a_led_and_docker(bare_board: Machine, measured: Callable[[str], None]) -> None:
    assert bare_board.sh("systemctl is-system-running") == "running"
    assert bare_board.sh(f"cat {LED}/max_brightness") == "1"
    assert bare_board.sh("docker run --rm supervisor-demo:1 /bin/echo hello", timeout=180) == "hello"
    measured("board: " + bare_board.sh("systemd-analyze time | head -1"))


def blink_and_count(board: Machine) -> tuple[int, float]:
    """Asks for a blink; how often the LED's brightness changes until it is still, and the seconds from first to last.

    One errand, with a loop that starts no process: what the machine of the tests takes its time for is not counted.
    """
    script = f"""
        exec {{idle}}<> <(:)
        printf 'header = "Authorization: Bearer %s"' "$(</var/lib/device-supervisor/api-key)" |
            curl -sf -m 60 -o /dev/null -X POST -K - http://127.0.0.1:{PORT}/v1/blink &
        read -r old <{LED}/brightness
        n=0 first=0 last=0 begin=${{EPOCHREALTIME/./}}
        while read -r now <{LED}/brightness && time=${{EPOCHREALTIME/./}} && ((time - begin < 90000000)); do
            if [[ $now != "$old" ]]; then
                old=$now last=$time
                ((++n == 1)) && first=$time
            fi
            ((n == 0 || time - last < 3000000)) || break
            read -rt 0.02 -u $idle
        done
        wait $! && echo $n $((last - first))
    """
    count, microseconds = board.sh(script, timeout=120).split()
    return int(count), int(microseconds) / 1e6


def test_blink_toggles_the_led_and_puts_it_back(board: Machine, measured: Callable[[str], None]) -> None:
    before = board.sh(TRIGGER)
    assert before != "none"
    toggles, seconds = blink_and_count(board)
    measured(f"LED of the board: {toggles} toggles in {seconds:.2f} s")
    # 2.5 times a second it is on, and as often off, for 15 s.
    assert abs(toggles / 15 - 5) <= 0.5
    assert abs(toggles / seconds - 5) <= 0.5
    wait_until(lambda: board.sh(TRIGGER) == before, 20, "the trigger is back")


def test_a_killed_led_plugin_leaves_the_led_as_it_was(board: Machine) -> None:
    before = board.sh(TRIGGER)
    assert board.api("POST", "/v1/blink", seconds=30).status == 200
    wait_until(lambda: board.sh(TRIGGER) == "none", 10, "it blinks")
    board.sh("systemctl kill -s KILL 'supervisor-plugin-led@*'")
    wait_until(lambda: board.sh(TRIGGER) == before, 60, "the trigger is back")


def test_the_units_limits_are_in_force(board: Machine) -> None:
    assert int(board.show("device-supervisor", "TasksCurrent")) <= int(board.show("device-supervisor", "TasksMax"))
    board.sh("superctl call hostname.get")
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
