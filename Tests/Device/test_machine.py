"""The machine itself, before anything of ours runs on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable

import pytest

from harness.machine import Machine
from harness.paths import MACHINE_ROOT, REPOSITORY
from harness.waiting import wait_until

LOGIND = "org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager"


def traces(machine: Machine, facts: dict[str, object]) -> list[str]:
    """What is still there of a machine: processes, mounts, interfaces, control groups."""
    folder = str(MACHINE_ROOT / machine.kind / machine.name)
    found = [line for line in Path("/proc/mounts").read_text().splitlines() if folder in line]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if folder.encode() in b" ".join(words) or (b"keep" in words and machine.name.encode() in words):
            found.append(b" ".join(words).decode())
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True).stdout.splitlines()
    found += [line for line in links if str(facts["bridge"]) in line]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/supervisor-{machine.kind}-{machine.name}-*")]
    return found


def test_the_host_is_up_with_every_unit(bare: Machine) -> None:
    assert bare.sh("systemctl --failed --no-legend --plain") == ""
    assert bare.sh("systemctl is-system-running") == "running"
    for unit in ("systemd-logind", "dbus", "docker", "polkit", "systemd-hostnamed"):
        bare.sh(f"systemctl start {unit} && systemctl is-active {unit}")


def test_a_container_runs(bare: Machine) -> None:
    assert bare.sh("docker run --rm supervisor-demo:1 /bin/echo hello") == "hello"


def test_status_has_six_keys_and_tells_the_truth(bare: Machine) -> None:
    status = bare.status
    assert list(status) == ["name", "state", "address", "apiKey", "leader", "boots"]
    assert (status["name"], status["state"]) == ("shared", "running")
    assert f"inet {status['address']}/24" in bare.sh("ip address show host0")
    assert Path(f"/proc/{status['leader']}/comm").read_text().strip() == "systemd"


def test_exec_hands_on_status_output_and_input(bare: Machine) -> None:
    done = bare.run("sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.status, done.out, done.err) == (7, "out\n", "err\n")
    assert bare.run("cat", input="by input").out == "by input"


def test_a_reboot_through_logind_is_one_boot_more_with_another_id(bare: Machine) -> None:
    before, boots = bare.boot_id, bare.status["boots"]
    bare.sh("echo kept >/root/kept")
    bare.sh(f"busctl call {LOGIND} Reboot b false")
    bare.wait_state("running", boots=boots + 1)
    assert bare.boot_id != before
    assert bare.sh("cat /root/kept") == "kept"
    assert bare.sh("docker run --rm supervisor-demo:1 /bin/echo hello") == "hello"


def test_the_journal_covers_the_boots_and_is_read_from_outside(bare: Machine) -> None:
    assert len(bare.sh("journalctl --list-boots --no-pager -q").splitlines()) >= bare.status["boots"]
    assert "systemd" in bare.script("logs").out


def test_power_off_is_the_end_until_it_is_started_again(own_device: Machine) -> None:
    own_device.up()
    own_device.sh(f"echo kept >/root/kept; busctl call {LOGIND} PowerOff b false")
    status = own_device.wait_state("off")
    assert (status["leader"], status["boots"]) == (None, 1)
    done = own_device.run("true")
    assert (done.status, done.said) == (69, f"device: {own_device.name} is off; scripts/device up starts it")
    took = own_device.up()
    assert own_device.status["boots"] == 2 and own_device.sh("cat /root/kept") == "kept"
    assert took < 30


def test_two_devices_are_apart(bare: Machine, own_device: Machine) -> None:
    own_device.up()
    assert {bare.status["state"], own_device.status["state"]} == {"running"}
    assert bare.status["address"] != own_device.status["address"]
    assert bare.sh("cat /etc/machine-id") != own_device.sh("cat /etc/machine-id")
    own_device.sh("docker tag supervisor-demo:1 only-here:1")
    assert bare.run("docker", "image", "inspect", "only-here:1").status == 1
    own_device.sh("hostnamectl hostname changed")
    assert bare.sh("hostname") == "shared"
    listed = json.loads(own_device.script("list", "--json").out)
    assert {"shared", own_device.name} <= {each["name"] for each in listed}
    # Their control groups do not meet: each systemd sees its own units only.
    own_device.sh("systemd-run --unit only-here sleep 1000")
    assert bare.run("systemctl", "is-active", "only-here").out.strip() == "inactive"
    own_device.down()
    assert bare.sh("systemctl is-system-running") == "running"


def test_down_leaves_nothing(own_device: Machine) -> None:
    own_device.up()
    facts = own_device.facts
    assert traces(own_device, facts)
    own_device.down()
    assert traces(own_device, facts) == []
    own_device.down()  # again is no error
    own_device.reset()
    assert not (MACHINE_ROOT / "device" / own_device.name).exists()


def test_what_a_killed_keeper_has_left_goes_with_the_next_up(own_device: Machine) -> None:
    own_device.up()
    facts = own_device.facts
    os.kill(facts["keeper"], signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{facts['leader']}").exists(), 10, "the host ends with its keeper")
    assert own_device.status["state"] == "off"
    own_device.up()
    assert own_device.sh("systemctl is-system-running") == "running"
    own_device.down()
    assert traces(own_device, facts) == []


def test_ctrl_c_while_it_starts_leaves_nothing(own_device: Machine) -> None:
    command = [str(REPOSITORY / "scripts/device"), "up", "--name", own_device.name]
    starting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    state = MACHINE_ROOT / "device" / own_device.name / "state.json"
    wait_until(lambda: json.loads(state.read_text())["leader"], 60, "it is about to boot")
    facts = own_device.facts
    os.killpg(starting.pid, signal.SIGINT)
    assert starting.wait(60) == 130
    assert own_device.status["state"] == "off" and traces(own_device, facts) == []


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["up", "--name", "Not A Name"], 64),
        (["exec", "--", "true", "--name"], 69),
        (["logs", "--name", "nobody"], 69),
        (["up", "--name", "unknown-board", "--board", "toaster"], 1),
    ],
)
def test_errors_are_one_clear_line(words: list[str], status: int, bare: Machine) -> None:
    if "toaster" in words and not bare.facts["packages"]:
        pytest.skip("no packages")
    done = subprocess.run([str(REPOSITORY / "scripts/device"), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("device: ")


def test_the_second_start_takes_seconds(own_device: Machine, measured: Callable[[str], None]) -> None:
    own_device.up()
    own_device.down()
    took = own_device.up()
    measured(f"second start of a device: {took:.1f} s")
    assert took < 15
    begin = time.monotonic()
    own_device.up()
    assert time.monotonic() - begin < 3
