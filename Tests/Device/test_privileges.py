"""Who may do what, by doing it: on the device and, where the kernel matters, on the board."""

from __future__ import annotations

import pytest

from harness.device import Machine

CORE = "supervisor"
PLUGINS = ["logind", "hostnamed", "redsocks", "led", "tcp-ping", "storage"]
USERS = [CORE] + [f"supervisor-{name}" for name in PLUGINS]
LOGIN1 = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
HOSTNAME1 = ("org.freedesktop.hostname1", "/org/freedesktop/hostname1", "org.freedesktop.hostname1")
SYSTEMD1 = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
#: What only one of them may, and what none may.
CALLS = {
    "reboot": (*LOGIN1, "Reboot", "b", "false"),
    "power-off": (*LOGIN1, "PowerOff", "b", "false"),
    "hostname": (*HOSTNAME1, "SetStaticHostname", "sb", "stolen", "false"),
    "restart redsocks": (*SYSTEMD1, "RestartUnit", "ss", "redsocks.service", "replace"),
    "stop redsocks": (*SYSTEMD1, "StopUnit", "ss", "redsocks.service", "replace"),
    "restart docker": (*SYSTEMD1, "RestartUnit", "ss", "docker.service", "replace"),
    "start reboot.target": (*SYSTEMD1, "StartUnit", "ss", "reboot.target", "replace-irreversibly"),
    "run anything": (*SYSTEMD1, "StartTransientUnit", "ssa(sv)a(sa(sv))", "x.service", "fail", "0", "0"),
}
MAY = {
    "supervisor-logind": {"reboot", "power-off"},
    "supervisor-hostnamed": {"hostname"},
    "supervisor-redsocks": {"restart redsocks"},
}


@pytest.mark.parametrize("user", USERS + ["nobody"])
def test_the_bus_refuses_what_is_not_a_users_own(device: Machine, user: str) -> None:
    boot, name = device.boot_id, device.sh("hostname")
    for call, words in CALLS.items():
        if call in MAY.get(user, set()):
            continue  # what its plugin does with it is tried elsewhere
        done = device.run("busctl", "call", *words, user=user)
        assert done.status != 0, call
        refusals = ("denied", "authentication required", "authentication is required", "not permitted")
        assert any(word in done.said.lower() for word in refusals), f"{call}: {done.said}"
    assert (device.boot_id, device.sh("hostname")) == (boot, name)


@pytest.mark.parametrize(
    ("user", "method", "answer"),
    [
        ("supervisor-logind", "CanReboot", "yes"),
        ("supervisor-logind", "CanPowerOff", "yes"),
        ("supervisor-logind", "CanSuspend", "other"),
        (CORE, "CanReboot", "other"),
        (CORE, "CanPowerOff", "other"),
        ("supervisor-hostnamed", "CanReboot", "other"),
        ("supervisor-storage", "CanPowerOff", "other"),
    ],
)
def test_logind_knows_who_may(device: Machine, user: str, method: str, answer: str) -> None:
    said = device.run("busctl", "call", *LOGIN1, method, user=user).out.strip()
    assert (said == 's "yes"') == (answer == "yes"), said


def test_the_users_own_operations_work(device: Machine) -> None:
    name = device.sh("hostname")
    call = [*HOSTNAME1, "SetStaticHostname", "sb", "renamed", "false"]
    assert device.run("busctl", "call", *call, user="supervisor-hostnamed").status == 0
    assert device.sh("hostname") == "renamed"
    call[-2] = name
    assert device.run("busctl", "call", *call, user="supervisor-hostnamed").status == 0
    # And no more than the name itself.
    pretty = [*HOSTNAME1, "SetChassis", "sb", "laptop", "false"]
    device.run("busctl", "call", *pretty, user="supervisor-hostnamed")


@pytest.mark.parametrize("plugin", PLUGINS)
def test_only_the_core_connects_to_a_plugins_socket(device: Machine, plugin: str) -> None:
    path = f"/run/supervisor-plugins/{plugin}.sock"
    if device.run("test", "-S", path).status != 0:
        pytest.skip(f"this board has no {plugin}")
    assert device.sh(f"stat -c '%U %G %a' {path}") == "root supervisor 660"
    for user in ["nobody"] + USERS[1:]:
        done = device.run("socat", "-u", f"UNIX-CONNECT:{path}", "-", user=user, timeout=10)
        assert done.status != 0 and "permission denied" in done.said.lower(), f"{user}: {done.said}"


def test_the_core_has_no_capability(device: Machine) -> None:
    status = dict(
        line.split(":", 1) for line in device.sh(f"cat /proc/{device.pid()}/status").splitlines() if ":" in line
    )
    for set in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[set], 16) == 0, set
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Uid"].split() == [device.sh(f"id -u {CORE}")] * 4
    groups = {device.sh(f"getent group {id} | cut -d: -f1") for id in status["Groups"].split()}
    assert groups <= {CORE, "docker"}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugins_unit_runs_as_its_user_with_its_capabilities(device: Machine, plugin: str) -> None:
    if device.run("test", "-S", f"/run/supervisor-plugins/{plugin}.sock").status != 0:
        pytest.skip(f"this board has no {plugin}")
    unit = f"supervisor-plugin-{plugin}@test.service"
    assert device.show(unit, "User") == f"supervisor-{plugin}"
    capabilities = set(device.show(unit, "CapabilityBoundingSet").split())
    assert capabilities == ({"cap_dac_override", "cap_fowner"} if plugin == "storage" else set())
    assert device.show(unit, "NoNewPrivileges") == "yes"


def test_every_unit_of_ours_is_hardened(device: Machine) -> None:
    listed = device.sh("systemctl list-unit-files --no-legend 'supervisor*.service' | awk '{ print $1 }'").split()
    assert "supervisor.service" in listed
    scores = {}
    for unit in listed:
        unit = unit.replace("@.", "@test.")
        last = device.sh(f"systemd-analyze security --no-pager {unit} | tail -n 1")
        scores[unit] = float(last.split(":")[1].split()[0])
    assert {unit: score for unit, score in scores.items() if score > 2.0} == {}
    last = device.sh("systemd-analyze security --no-pager redsocks.service | tail -n 1")
    assert float(last.split(":")[1].split()[0]) <= 2.0


def test_the_key_is_read_by_root_and_the_core_only(device: Machine) -> None:
    assert device.sh("stat -c '%U %a' /var/lib/supervisor/api-key") == "supervisor 600"
    for user in ["nobody"] + USERS[1:]:
        assert device.run("cat", "/var/lib/supervisor/api-key", user=user).status != 0
