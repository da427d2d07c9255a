"""Who may do what, by doing it: on the device, and on the board with a kernel and a LED of its own."""

from __future__ import annotations

import pytest

from harness.machine import LED, Machine
from harness.waiting import wait_until

CORE = "device-supervisor"
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
#: What logind says to who asks whether they may.
CAN = {
    "supervisor-logind": {"CanReboot": True, "CanPowerOff": True, "CanSuspend": False},
    CORE: {"CanReboot": False, "CanPowerOff": False},
    "supervisor-hostnamed": {"CanReboot": False},
    "supervisor-storage": {"CanPowerOff": False},
}
#: Who may read (-r), write (-w) or enter (-x) what; nobody else of ours. The engine's socket is the unit's, by its
#: group, and not the user's every process.
FILES = {
    "-r /var/lib/device-supervisor/api-key": {CORE},
    "-w /var/lib/device-supervisor": {CORE},
    "-w /run/device-supervisor/control.sock": {CORE},
    "-w /run/docker.sock": set(),
    "-x /etc/device-supervisor/proxy": {"supervisor-redsocks"},
    "-w /etc/device-supervisor/proxy": {"supervisor-redsocks"},
    "-w /etc/hostname": set(),
    "-w /etc/device-supervisor": set(),
    "-w /run/supervisor-plugins": set(),
}
LED_FILES = {f"-w {LED}/{file}": {"supervisor-led"} for file in ("brightness", "trigger")}


def boot_and_name(machine: Machine) -> str:
    return machine.sh("cat /proc/sys/kernel/random/boot_id; hostname; hostnamectl --static")


@pytest.mark.parametrize("user", USERS + ["nobody"])
def test_the_bus_refuses_what_is_not_a_users_own(machine: Machine, user: str) -> None:
    before = boot_and_name(machine)
    # What its plugin does with what it may is tried elsewhere.
    calls = {call: words for call, words in CALLS.items() if call not in MAY.get(user, set())}
    answers = machine.run_each([["busctl", "call", *words] for words in calls.values()], user=user)
    for call, done in zip(calls, answers, strict=True):
        assert done.status != 0, call
        refusals = ("denied", "authentication required", "authentication is required", "not permitted")
        assert any(word in done.said.lower() for word in refusals), f"{call}: {done.said}"
    assert boot_and_name(machine) == before


@pytest.mark.parametrize("user", CAN)
def test_logind_knows_who_may(machine: Machine, user: str) -> None:
    said = machine.run_each([["busctl", "call", *LOGIN1, method] for method in CAN[user]], user=user)
    assert {method: done.out == 's "yes"' for method, done in zip(CAN[user], said, strict=True)} == CAN[user], said


def test_the_users_own_operations_work(machine: Machine) -> None:
    name = machine.sh("hostname")

    def call(to: str) -> list[str]:
        return ["busctl", "call", *HOSTNAME1, "SetStaticHostname", "sb", to, "false"]

    said = machine.run_each([call("renamed"), ["hostname"], call(name), ["hostname"]], user="supervisor-hostnamed")
    assert [(done.status, done.out) for done in said] == [(0, ""), (0, "renamed"), (0, ""), (0, name)]
    (said,) = machine.run_each([["busctl", "call", *CALLS["restart redsocks"]]], user="supervisor-redsocks")
    assert said.status == 0 and said.out.startswith("o "), said


def test_what_the_core_may_not_it_has_done_by_its_plugins(machine: Machine) -> None:
    # Reboot and power-off are tried elsewhere, for the machine goes with them.
    assert machine.run("superctl", "call", "power.status").status == 0
    name = machine.sh("hostname")
    for wanted in ("through-the-plugin", name):
        answer = machine.api("PATCH", "/v1/device/host-config", {"network": {"hostname": wanted}})
        assert answer.status == 200, answer
        assert machine.sh("hostname; hostnamectl --static").split() == [wanted, wanted]
    begun = machine.show("redsocks", "ActiveEnterTimestampMonotonic")
    proxy = {"type": "socks5", "ip": machine.facts["address"].rpartition(".")[0] + ".9", "port": 1080}
    for wanted, state in ((proxy, "active"), (None, "inactive")):
        answer = machine.api("PATCH", "/v1/device/host-config", {"network": {"proxy": wanted}})
        assert answer.status == 200, answer
        wait_until(lambda: machine.show("redsocks", "ActiveState") == state, 60, f"redsocks is {state}")
    assert machine.show("redsocks", "ActiveEnterTimestampMonotonic") != begun


@pytest.mark.parametrize("user", ["nobody"] + USERS[1:])
def test_only_the_core_connects_to_a_plugins_socket(machine: Machine, user: str) -> None:
    lines = machine.sh("cd /run/supervisor-plugins && stat -c '%n %F %U %G %a' *").splitlines()
    sockets = dict(line.split(" ", 1) for line in lines)
    expected = {f"{plugin}.sock": "socket root device-supervisor 660" for plugin in PLUGINS}
    # The storage plugin and the prepare unit, which runs as the core's user, ask for the apps' lock spaces.
    expected["lock-space.sock"] = "socket supervisor-storage device-supervisor 660"
    expected["uplink.sock"] = "socket root device-supervisor 660"
    assert sockets == expected
    if user == "supervisor-storage":
        del sockets["lock-space.sock"]
    paths = [f"UNIX-CONNECT:/run/supervisor-plugins/{name}" for name in sockets]
    answers = machine.run_each([["timeout", "10", "socat", "-u", path, "-"] for path in paths], user=user)
    for path, done in zip(paths, answers, strict=True):
        assert done.status == 1 and "permission denied" in done.said.lower(), f"{path}: {done}"


def test_the_core_has_no_capability(machine: Machine) -> None:
    *lines, user, groups = machine.sh(
        f"pid=$(systemctl show -P MainPID device-supervisor); cat /proc/$pid/status; id -u {CORE};"
        "echo $(getent group $(sed -n 's/^Groups://p' /proc/$pid/status) | cut -d: -f1)"
    ).splitlines()
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    for set in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[set], 16) == 0, set
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Uid"].split() == [user] * 4
    # The uplink's group may read the target that the uplink has fetched.
    assert {*groups.split()} <= {CORE, "docker", "supervisor-uplink"}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugins_unit_runs_as_its_user_with_its_capabilities(machine: Machine, plugin: str) -> None:
    shown = machine.sh(
        f"systemctl show -p User,CapabilityBoundingSet,NoNewPrivileges supervisor-plugin-{plugin}@test.service"
    )
    properties = dict(line.split("=", 1) for line in shown.splitlines())
    assert properties["User"] == f"supervisor-{plugin}"
    capabilities = set(properties["CapabilityBoundingSet"].split())
    assert capabilities == ({"cap_dac_override", "cap_fowner"} if plugin == "storage" else set())
    assert properties["NoNewPrivileges"] == "yes"


def test_every_unit_of_ours_is_hardened(machine: Machine) -> None:
    lines = machine.sh(
        "units=$(systemctl list-unit-files --no-legend 'device-supervisor*.service' 'supervisor*.service' | awk '{ print $1 }');"
        "for unit in ${units//@./@test.} redsocks.service; do"
        " echo $unit $(systemd-analyze security --no-pager $unit | tail -n 1); done",
        timeout=300,
    ).splitlines()
    scores = {line.split()[0]: float(line.split(":")[1].split()[0]) for line in lines}
    assert {"device-supervisor.service", "supervisor-plugin-logind@test.service", "redsocks.service"} <= set(scores)
    # What it mounts would be seen nowhere else if it had a mount namespace, and with it most of what scores.
    assert scores.pop("supervisor-plugin-lock-space@test.service") <= 3.5
    assert {unit: score for unit, score in scores.items() if score > 2.0} == {}


@pytest.mark.parametrize("user", USERS + ["nobody"])
def test_files_and_sockets_are_closed_to_who_has_no_business_with_them(machine: Machine, user: str) -> None:
    files = {**FILES, **LED_FILES} if machine.kind == "board" else FILES
    answers = machine.run_each([["test", *file.split()] for file in files], user=user)
    found = {file: done.status == 0 for file, done in zip(files, answers, strict=True)}
    assert found == {file: user in may for file, may in files.items()}


def test_the_key_is_the_cores_file(machine: Machine) -> None:
    assert machine.sh("stat -c '%U %a' /var/lib/device-supervisor/api-key") == "device-supervisor 600"
