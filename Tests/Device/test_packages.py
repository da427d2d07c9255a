"""Install, upgrade, swap of the board, removal and purge on a running machine."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from harness.machine import Machine
from harness.packages import QUIET, next_version, packages
from harness.waiting import wait_until


def copy(device: Machine, *names: str, upgraded: Path | None = None) -> None:
    """Puts packages into /root/debs of the device; with a folder to work in, the next version of them."""
    device.sh("mkdir -p /root/debs")
    for file in packages():
        if file.name.split("_")[0] in names:
            built = next_version(file, upgraded) if upgraded else file
            text = base64.b64encode(built.read_bytes()).decode()
            done = device.run("sh", "-c", f"base64 -d >/root/debs/{file.name}", input=text)
            assert done.status == 0, done.said


@pytest.fixture
def installed(own_device: Machine) -> Machine:
    if not packages():
        pytest.skip("no packages: make deb builds them")
    own_device.up()
    own_device.wait_pings()
    own_device.wait_app()
    return own_device


def test_shells_find_their_completion(installed: Machine) -> None:
    for file, first in (
        ("bash-completion/completions/superctl", "# Completion of superctl for bash"),
        ("zsh/vendor-completions/_superctl", "#compdef superctl"),
        ("fish/vendor_completions.d/superctl.fish", "# Completion of superctl for fish"),
    ):
        assert installed.sh(f"head -n 1 /usr/share/{file}").startswith(first)
    script = "/usr/share/bash-completion/completions/superctl"
    assert "-F _superctl" in installed.sh(f"bash -c 'source {script}; complete -p superctl'")


def test_an_upgrade_while_apps_run_leaves_them_alone(installed: Machine, tmp_path: Path) -> None:
    device = installed
    before, pid = device.wait_app(), device.pid()
    there = device.sh("dpkg-query -W -f '${Package} ${db:Status-Status}\\n' 'device-supervisor*'").splitlines()
    names = [line.split()[0] for line in there if line.endswith(" installed")]
    assert "device-supervisor" in names and len(names) > 5
    version = device.sh("dpkg-query -W -f '${Version}' device-supervisor")
    copy(device, *names, upgraded=tmp_path)
    device.sh(f"{QUIET} install /root/debs/*.deb 2>&1", timeout=180)
    assert device.sh("dpkg-query -W -f '${Version}' device-supervisor") != version
    device.wait_pings()
    assert device.pid() != pid
    after = device.wait_app()
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert device.sh("systemctl --failed --no-legend --plain") == ""


def test_a_swap_of_the_board_changes_plugins_without_a_restart_of_the_core(installed: Machine) -> None:
    device = installed
    pid = device.pid()
    copy(device, "device-supervisor-board-qemu", "device-supervisor-plugin-led")
    device.sh(f"{QUIET} install /root/debs/*.deb 2>&1", timeout=180)
    assert device.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "device-supervisor-board-generic").out != "installed"
    wait_until(lambda: device.plugin("led")["state"] in ("idle", "ready"), 30, "the board's plugin is there")
    assert device.pid() == pid and device.pings()


def test_remove_keeps_data_and_purge_does_not(installed: Machine) -> None:
    device = installed
    names = device.sh("dpkg -l 'device-supervisor*' | awk '/^ii/ { print $2 }'").split()
    device.sh(f"{QUIET} remove {' '.join(names)} 2>&1", timeout=180)
    assert device.run("systemctl", "is-active", "device-supervisor").out.strip() != "active"
    assert device.run("test", "-d", "/var/lib/device-supervisor").status == 0
    assert device.sh("systemctl list-units --no-legend --plain 'supervisor-plugin*'") == ""
    device.sh(f"dpkg --purge {' '.join(names)} 2>&1", timeout=180)
    # `-xdev` keeps out of /proc and /run; dpkg's and systemd's own records are not ours.
    script = "find / -xdev -name '*supervisor*' -not -path '/var/lib/systemd/*' -not -path '/var/log/*'"
    assert device.sh(script) == ""
