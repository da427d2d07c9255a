"""Debian's package `supervisor`, a process control system in Python, on the same device: both run, neither replaces the
other in an upgrade, and each goes without the other."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest

from harness.machine import Machine
from harness.packages import QUIET, next_version, packages
from harness.waiting import wait_until

#: Where the device has our packages, as a source of apt.
SOURCE = "/root/ours"
#: A program that supervisord keeps running.
PROGRAM = "/etc/supervisor/conf.d/napping.conf"


def send(device: Machine, folder: Path, to: str, archive: Path) -> None:
    """Copies what is in a folder of ours into one of the device's."""
    subprocess.run(["tar", "-C", folder, "-cf", archive, "."], check=True)
    device.sh(f"mkdir -p {to}")
    with open(archive, "rb") as content:
        done = device.run("tar", "-x", "--no-same-owner", "-C", to, stdin=content)
    assert done.status == 0, done.said


def offer(device: Machine, files: list[Path], folder: Path) -> None:
    """Makes packages available on the device from a source of their own, beside Debian's."""
    repository = folder / "repository"
    repository.mkdir()
    index = []
    for file in files:
        data = file.read_bytes()
        (repository / file.name).write_bytes(data)
        fields = subprocess.run(["dpkg-deb", "-f", file], check=True, capture_output=True, text=True).stdout
        sum = hashlib.sha256(data).hexdigest()
        index.append(f"{fields}Filename: ./{file.name}\nSize: {len(data)}\nSHA256: {sum}\n")
    (repository / "Packages").write_text("\n".join(index))
    send(device, repository, SOURCE, folder / "repository.tar")
    device.write("/etc/apt/sources.list.d/ours.list", f"deb [trusted=yes] file:{SOURCE} ./\n")
    # Debian's own sources stay as they are known: the device reaches no network.
    only = "-o Dir::Etc::sourcelist=/etc/apt/sources.list.d/ours.list -o Dir::Etc::sourceparts=-"
    device.sh(f"apt-get -qq {only} -o APT::Get::List-Cleanup=0 update 2>&1", timeout=120)


def ours(device: Machine) -> list[str]:
    """Which of our packages are installed."""
    lines = device.sh("dpkg-query -W -f '${Package} ${db:Status-Status}\\n' 'device-supervisor*'").splitlines()
    return [line.split()[0] for line in lines if line.endswith(" installed")]


def is_installed(device: Machine, name: str) -> bool:
    return device.run("dpkg-query", "-W", "-f", "${db:Status-Status}", name).out == "installed"


def napping(device: Machine) -> int:
    """The process of the program that supervisord keeps running; 0 while there is none."""
    words = device.run("supervisorctl", "status", "napping").out.split()
    return int(words[3].rstrip(",")) if words[1:2] == ["RUNNING"] else 0


def changes(device: Machine) -> list[str]:
    """What `apt-get upgrade` would install and remove, of both: "Inst NAME [OLD] (NEW ..." or "Remv NAME"."""
    lines = device.sh("apt-get -s upgrade", timeout=120).splitlines()
    assert any("newly installed" in line for line in lines)
    return [line for line in lines if line.startswith(("Inst ", "Remv ")) and "supervisor" in line.split()[1]]


@pytest.fixture(scope="module")
def device_beside(new_machine: Callable[..., Machine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A device with our packages, to which the sources of both are known."""
    if not packages():
        pytest.skip("no packages: make deb builds them")
    device = new_machine("beside")
    device.up()
    device.wait_pings()
    device.wait_app()
    fetched = Path(device.script("fetch", "supervisor").out.strip())
    folder = tmp_path_factory.mktemp("beside")
    send(device, fetched / "lists", "/var/lib/apt/lists", folder / "lists.tar")
    send(device, fetched / "archives", "/var/cache/apt/archives", folder / "archives.tar")
    offer(device, packages(), folder)
    yield device
    device.reset()


@pytest.fixture
def both(device_beside: Machine) -> Machine:
    """Both are installed and run, each with something that it keeps running."""
    device = device_beside
    if not is_installed(device, "supervisor"):
        device.sh(f"{QUIET} --no-install-recommends install supervisor 2>&1", timeout=240)
    if not device.run("test", "-e", PROGRAM).status == 0:
        device.write(PROGRAM, "[program:napping]\ncommand=/bin/sleep infinity\n")
    wait_until(lambda: device.run("supervisorctl", "update").status == 0, 30, "supervisord answers")
    wait_until(lambda: napping(device), 30, "supervisord runs its program")
    device.wait_pings()
    device.wait_app()
    return device


def test_both_run_at_once_and_share_no_file(both: Machine) -> None:
    for unit in ("supervisor.service", "device-supervisor.service"):
        assert both.sh(f"systemctl is-active {unit}; systemctl is-enabled {unit}").split() == ["active", "enabled"]
    assert both.sh("systemctl --failed --no-legend --plain") == ""
    assert both.sh("dpkg --audit") == ""
    assert both.sh("supervisord --version").startswith("4.")
    assert "Supervisor  " in both.sh("superctl status")
    files = "for file in $(dpkg -L %s); do [ -d $file ] || echo $file; done"
    theirs = set(both.sh(files % "supervisor").splitlines())
    own = set(both.sh(files % " ".join(ours(both))).splitlines())
    assert "/usr/bin/supervisorctl" in theirs and "/usr/bin/superctl" in own
    assert theirs & own == set()
    assert both.sh("ls -d /etc/supervisor /run/supervisor.sock /var/log/supervisor").split()


def test_an_upgrade_replaces_neither(both: Machine, tmp_path: Path) -> None:
    def policy(name: str) -> tuple[str, str, list[str]]:
        """Installed version, candidate, and where apt finds the package."""
        lines = [line.split() for line in both.sh(f"apt-cache policy {name}").splitlines()]
        places = [words[1] for words in lines if len(words) > 1 and words[0].isdigit()]
        versions = {words[0]: words[1] for words in lines if words[0] in ("Installed:", "Candidate:")}
        return versions["Installed:"], versions["Candidate:"], places

    theirs = installed, candidate, places = policy("supervisor")
    assert installed == candidate and installed.startswith("4.")
    assert len(places) == 2 and places[0].startswith("http") and places[1] == "/var/lib/dpkg/status"
    installed, candidate, places = policy("device-supervisor")
    assert installed == candidate and sorted(places) == ["/var/lib/dpkg/status", f"file:{SOURCE}"]
    assert changes(both) == []
    # With a new version of ours in the sources, ours are upgraded to it, and by nothing else.
    folder = tmp_path / "next"
    folder.mkdir()
    offer(both, [next_version(file, folder) for file in packages()], tmp_path)
    upgraded = {line.split()[1]: line for line in changes(both)}
    assert sorted(upgraded) == sorted(ours(both))
    assert all(line.startswith("Inst ") and f"[{installed}]" in line for line in upgraded.values())
    names = " ".join(ours(both))
    both.sh(f"{QUIET} --only-upgrade install {names} 2>&1", timeout=240)
    assert policy("device-supervisor")[0] != installed
    assert policy("supervisor") == theirs and napping(both)
    both.wait_pings()
    assert changes(both) == []


@pytest.mark.parametrize("how", ["remove", "purge"])
def test_theirs_goes_and_ours_runs_on(both: Machine, how: str) -> None:
    pid, app, own = both.pid(), both.wait_app()["Id"], ours(both)
    if how == "purge":
        both.sh(f"rm {PROGRAM}")
    both.sh(f"{QUIET} {how} supervisor 2>&1", timeout=180)
    assert not is_installed(both, "supervisor")
    assert both.run("systemctl", "is-active", "supervisor").out.strip() != "active"
    assert both.run("pgrep", "-f", "/usr/bin/supervisord").status == 1
    assert both.run("test", "-e", "/etc/supervisor/supervisord.conf").status == (0 if how == "remove" else 1)
    assert (both.pid(), both.wait_app()["Id"], ours(both)) == (pid, app, own)
    assert both.pings()
    assert "Supervisor  " in both.sh("superctl status")
    assert both.sh("dpkg --audit") == ""


def test_ours_goes_and_theirs_runs_on(both: Machine) -> None:
    pid = napping(both)
    names = " ".join(ours(both))
    both.sh(f"{QUIET} remove {names} 2>&1", timeout=180)
    assert ours(both) == [] and both.run("systemctl", "is-active", "device-supervisor").out.strip() != "active"
    assert both.sh("test -d /var/lib/device-supervisor; echo $?") == "0"
    assert napping(both) == pid
    both.sh(f"dpkg --purge {names} 2>&1", timeout=180)
    assert napping(both) == pid
    assert both.sh("systemctl is-active supervisor") == "active"
    assert both.sh("dpkg --verify supervisor") == ""
    assert both.sh("dpkg --audit") == ""
    # Nothing of ours is left, but for what the test has brought, and systemd's and the journal's own records.
    names = r"\( -name '*device-supervisor*' -o -name '*supervisor-plugin*' -o -name '*superctl*' \)"
    script = f"find / -xdev {names} -not -path '/var/lib/systemd/*' -not -path '/var/log/*' -not -path '{SOURCE}/*'"
    assert both.sh(script) == ""
