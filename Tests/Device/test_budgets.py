"""What it takes: disk, memory, and time from power to the first answer."""

from __future__ import annotations

import time
from typing import Callable

from harness.machine import Machine
from harness.waiting import wait_until

BASE = [
    "device-supervisor",
    *(f"device-supervisor-plugin-{name}" for name in ("logind", "hostnamed", "redsocks", "led", "tcp-ping", "storage")),
]


def test_the_base_packages_take_at_most_28_mb(device: Machine, measured: Callable[[str], None]) -> None:
    regular = '[ -f "$f" ] && [ ! -L "$f" ] && stat -c %s "$f"'
    script = f"dpkg -L {' '.join(BASE)} | sort -u | while read -r f; do {regular}; done"
    installed = sum(int(size) for size in device.sh(f"({script}) 2>/dev/null || true").split())
    measured(f"installed size of the base packages: {installed / 1e6:.1f} MB")
    assert installed <= 28e6


def test_all_processes_idle_take_at_most_20_mb(device: Machine, measured: Callable[[str], None]) -> None:
    # What ends when idle has ended.
    time.sleep(35)
    device.sh("sync")
    script = (
        "for p in /proc/[0-9]*; do u=$(stat -c %U $p 2>/dev/null); case $u in *supervisor*) "
        "echo \"$(cat $p/comm) $(awk '/^Pss:/ { print $2 }' $p/smaps_rollup)\";; esac; done 2>/dev/null; true"
    )
    # The uplink is outside the base packages, and has a budget of its own.
    sizes = [line.split() for line in device.sh(script).splitlines() if not line.startswith("uplink ")]
    total = sum(int(size[-1]) for size in sizes) / 1024
    measured(f"PSS of {len(sizes)} processes idle: {total:.1f} MB: {', '.join(' '.join(size) for size in sizes)}")
    assert sizes and total <= 20


def test_boot_to_ping(device: Machine, measured: Callable[[str], None]) -> None:
    boots = device.status["boots"]
    device.sh("systemctl reboot")
    wait_until(lambda: device.facts["boots"] == boots + 1 and device.facts["leader"], 60, "it boots")
    begin = time.monotonic()
    wait_until(lambda: device.run("test", "-e", "/run/device-supervisor/control.sock").status == 0, 60, "it has come so far")
    device.wait_pings()
    took = time.monotonic() - begin
    measured(f"boot of the device to /ping answered: {took:.1f} s")
    device.wait_state("running")
    measured(device.sh("systemd-analyze time | head -1"))
    measured(device.sh("systemd-analyze blame --no-pager | grep -E 'supervisor|docker.service|redsocks' || true"))
    assert took < 20
