"""storage.reap: everything that the core has renamed away goes, whoever owns it, and nothing else ever does."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import random
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from harness.plugin import Plugin, PluginFailure
from harness.processes import Process, must, run
from harness.supervisor import binary
from harness.waiting import wait_until

#: A user that exists nowhere else, as the unit has one.
UID = 4711
CORE_UID = 4712


def with_capabilities(*names: str) -> list[str]:
    """A user without any privileges but these."""
    caps = ",".join("+" + name for name in names)
    command = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs"]
    return [*command, f"--inh-caps=-all,{caps}", f"--ambient-caps={caps}", "--bounding-set", f"-all,{caps}", "--"]


PRIVILEGES = {"root": [], "capabilities": with_capabilities("dac_override", "fowner")}


@pytest.fixture(params=PRIVILEGES)
def wrap(request: pytest.FixtureRequest) -> list[str]:
    return PRIVILEGES[request.param]


class Host:
    """The directories of the core, which belong to a user that is neither root nor the plugin's."""

    def __init__(self, root: Path) -> None:
        self.data = root / "data"
        self.locks = root / "locks"
        self.outside = root / "outside"
        for directory in (self.data, self.locks):
            directory.mkdir()
            os.chown(directory, CORE_UID, CORE_UID)
        (self.outside / "inner").mkdir(parents=True)
        for name in ("a", "b", "inner/c", ".purge-x", ".stale-x", "keep"):
            (self.outside / name).write_text("canary")
        (self.outside / ".stale-dir").mkdir()
        (self.outside / ".stale-dir" / "d").write_text("canary")
        (self.data / "7").mkdir()
        (self.data / "7" / "precious").write_text("canary")
        (self.locks / "7").mkdir()
        (self.locks / "7" / "main").mkdir()
        (self.locks / "7" / "main" / "updates.lock").write_text("canary")
        tops = (self.outside, self.data / "7", self.locks / "7")
        self.canaries = [path for top in tops for path in top.rglob("*")]

    def check_canaries(self) -> None:
        assert [path for path in self.canaries if not path.is_dir() and path.read_text() != "canary"] == []

    @property
    def settings(self) -> dict[str, str]:
        return {"DataDirectory": str(self.data), "LockDirectory": str(self.locks)}

    def plugin(self, wrap: list[str]) -> Plugin:
        return Plugin("storage", self.settings, wrap=wrap)

    def leftovers(self) -> list[str]:
        return sorted(path.name for top in (self.data, self.locks, self.locks / "7") for path in top.glob(".*"))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    # pytest's own directories are root's alone; the plugin's user has to get through.
    for directory in [tmp_path, *tmp_path.parents][:4]:
        with contextlib.suppress(PermissionError):
            os.chmod(directory, stat.S_IMODE(directory.stat().st_mode) | 0o711)
    memory = tmp_path / "memory"
    memory.mkdir()
    must(["mount", "-t", "tmpfs", "-o", "mode=0755,nr_inodes=0,size=2g", "tmpfs", memory])
    try:
        yield Host(memory)
    finally:
        run(["umount", "-R", "-l", memory])


def make_mess(host: Host) -> int:
    """What an application with root's rights may leave. Returns how many entries that is."""
    top = host.data / ".purge-0123456789abcdef"
    (top / "roots" / "closed" / "inner").mkdir(parents=True)
    (top / "roots" / "closed" / "inner" / "file").write_text("x")
    (top / "sticky" / "others").mkdir(parents=True)
    (top / "sticky" / "file").write_text("x")
    for path in ("sticky/others", "sticky/file"):
        os.chown(top / path, 1000, 1000)
    os.chmod(top / "sticky", 0o1777)
    os.symlink(host.outside, top / "directory")
    os.symlink(host.outside / "a", top / "file")
    os.symlink("../../../outside", top / "roots" / "up")
    os.symlink("nowhere", top / "dangling")
    os.link(host.outside / "b", top / "hard")
    os.mkfifo(top / "fifo")
    os.mknod(top / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mkdir(os.fsencode(top) + b"/\xff\xfe")
    (top / ".deep-1").mkdir()
    os.chmod(top / "roots" / "closed" / "inner", 0)
    os.chmod(top / "roots" / "closed", 0)
    os.chmod(top / "roots", 0o500)
    (host.data / ".purge-file").write_text("x")
    os.symlink(host.outside, host.data / ".purge-link")
    (host.locks / "7" / ".stale-1" / "updates.lock").mkdir(parents=True)
    (host.locks / ".stale-2" / "main").mkdir(parents=True)
    os.symlink(host.outside, host.locks / "7" / ".stale-3")
    return 17 + 2 + 2 + 2 + 1


def make_deep(top: Path, depth: int) -> None:
    top.mkdir()
    descriptor = os.open(top, os.O_RDONLY)
    for _ in range(depth - 1):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)


def make_wide(top: Path, count: int) -> None:
    top.mkdir()
    directory = os.open(top, os.O_RDONLY)
    for number in range(count):
        os.mknod(f"{number}", dir_fd=directory)
    os.close(directory)


def peak_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")


def test_everything_left_goes_whoever_owns_it(host: Host, wrap: list[str]) -> None:
    count = make_mess(host)
    with host.plugin(wrap) as plugin:
        assert plugin.about["plugin"]["name"] == "storage"
        assert [operation["name"] for operation in plugin.about["operations"]] == ["storage.reap", "storage.lock-space"]
        assert plugin.call("storage.reap") == {"removed": count}
        assert host.leftovers() == []
        assert plugin.call("storage.reap") == {"removed": 0}
        assert plugin.close() == 0
    host.check_canaries()


def test_a_foreign_directory_lock_in_an_apps_data_goes(host: Host, wrap: list[str]) -> None:
    (host.data / "7" / ".stale-0123456789abcdef" / "inner").mkdir(parents=True)
    (host.data / "7" / ".stale-mine").mkdir()
    with host.plugin(wrap) as plugin:
        assert plugin.call("storage.reap") == {"removed": 2}
    assert (host.data / "7" / ".stale-mine").is_dir()
    host.check_canaries()


def test_without_privileges_the_first_obstacle_is_named(host: Host) -> None:
    top = host.data / ".purge-1"
    (top / "roots").mkdir(parents=True)
    (top / "roots" / "file").write_text("x")
    with Plugin("storage", host.settings, wrap=["setpriv", f"--reuid={UID}", "--clear-groups", "--"]) as plugin:
        with pytest.raises(PluginFailure) as failure:
            plugin.call("storage.reap")
    assert failure.value.reason == "failed"
    assert f"{top}/roots/file: Permission denied" in failure.value.message
    assert "removed: 0" in (failure.value.detail or "")
    host.check_canaries()


def test_the_owner_without_privileges_removes_what_he_closed(host: Host) -> None:
    for directory in (host.data, host.locks):
        os.chown(directory, UID, UID)
    make_deep(host.data / ".purge-1", 100)
    for directory, _, _ in os.walk(host.data / ".purge-1", topdown=False):
        os.chown(directory, UID, UID)
        os.chmod(directory, 0)
    with Plugin("storage", host.settings, wrap=["setpriv", f"--reuid={UID}", "--clear-groups", "--"]) as plugin:
        assert plugin.call("storage.reap") == {"removed": 100}


def test_mounts_are_named_and_not_entered_and_all_else_goes(host: Host, wrap: list[str]) -> None:
    top = host.data / ".purge-1"
    for name in ("a/bind", "a/memory", "b/empty", "c/plain"):
        (top / name).mkdir(parents=True)
    (top / "a" / "file").write_text("x")
    (top / "a" / "mounted").write_text("x")
    must(["mount", "--bind", host.outside, top / "a" / "bind"])
    must(["mount", "-t", "tmpfs", "tmpfs", top / "a" / "memory"])
    must(["mount", "-t", "tmpfs", "tmpfs", top / "b" / "empty"])
    must(["mount", "--bind", host.outside / "a", top / "a" / "mounted"])
    (top / "a" / "memory" / "canary").write_text("canary")
    (host.data / ".purge-2").mkdir()
    must(["mount", "--bind", host.outside, host.data / ".purge-2"])
    with host.plugin(wrap) as plugin:
        for _ in range(2):
            with pytest.raises(PluginFailure) as failure:
                plugin.call("storage.reap")
            assert failure.value.reason == "failed"
            assert failure.value.message.startswith("5 could not be removed, the first is ")
            assert "mount point" in failure.value.message and "mount point" in (failure.value.detail or "")
            assert str(host.data / ".purge-") in failure.value.message
            assert sorted(os.listdir(top)) == ["a", "b"]
            assert sorted(os.listdir(top / "a")) == ["bind", "memory", "mounted"]
        assert (top / "a" / "memory" / "canary").read_text() == "canary"
        host.check_canaries()
        for name in (top / "a" / "bind", top / "a" / "memory", top / "a" / "mounted", top / "b" / "empty"):
            must(["umount", name])
        must(["umount", host.data / ".purge-2"])
        assert plugin.call("storage.reap") == {"removed": 7 + 1}
    host.check_canaries()


def test_one_mount_is_named_by_its_path(host: Host, wrap: list[str]) -> None:
    deep = host.data / ".purge-1" / "x" / "y"
    deep.mkdir(parents=True)
    must(["mount", "--bind", host.outside, deep])
    with host.plugin(wrap) as plugin:
        with pytest.raises(PluginFailure, match="1 could not be removed") as failure:
            plugin.call("storage.reap")
    assert f"{deep}: is a mount point" in failure.value.message
    host.check_canaries()


def test_a_mount_below_the_depth_of_open_directories_is_not_entered(host: Host, wrap: list[str]) -> None:
    deep = host.data / ".purge-1" / "/".join("d" * 70)
    deep.mkdir(parents=True)
    must(["mount", "--bind", host.outside, deep])
    with host.plugin(wrap) as plugin:
        with pytest.raises(PluginFailure, match="1 could not be removed.*mount point"):
            plugin.call("storage.reap")
    host.check_canaries()


def test_immutable_files_are_counted_and_the_first_is_named(host: Host, wrap: list[str]) -> None:
    top = host.data / ".purge-1"
    (top / "a" / "frozen").mkdir(parents=True)
    for name in ("a/one", "a/two", "a/three", "a/frozen/four"):
        (top / name).write_text("x")
    frozen = [top / "a" / "one", top / "a" / "two", top / "a" / "frozen"]
    if run(["chattr", "+i", *frozen]).returncode:
        pytest.skip("this file system has no immutable files")
    with host.plugin(wrap) as plugin:
        with pytest.raises(PluginFailure, match="4 could not be removed, the first is .*: Operation not permitted"):
            plugin.call("storage.reap")
        assert sorted(os.listdir(top / "a")) == ["frozen", "one", "two"]
        must(["chattr", "-i", *frozen])
        plugin.call("storage.reap")
    assert host.leftovers() == []


@pytest.mark.parametrize("depth", [100, 10_000, 50_000])
def test_deep_trees_go_with_few_descriptors(host: Host, wrap: list[str], depth: int) -> None:
    make_deep(host.data / ".purge-1", depth)
    with host.plugin(["prlimit", "--nofile=64", "--stack=524288", "--", *wrap]) as plugin:
        assert plugin.call("storage.reap", timeout=60) == {"removed": depth}
    assert host.leftovers() == []


def test_wide_directories_go_in_little_memory(
    host: Host, wrap: list[str], measured: Callable[[str], None]
) -> None:
    make_wide(host.data / ".purge-1", 300_000)
    with host.plugin(wrap) as plugin:
        plugin.call("storage.reap")
        # Rounds of the same length before and after tell what the entries cost.
        before = peak_kib(plugin.pid)
        make_wide(host.data / ".purge-2", 300_000)
        begun = time.monotonic()
        assert plugin.call("storage.reap", timeout=60) == {"removed": 300_001}
        measured(f"storage.reap: {300_000 / (time.monotonic() - begun):,.0f} entries a second, {before} KiB at most")
        assert peak_kib(plugin.pid) - before < 2048
        assert before < 32 << 10


def test_what_is_cancelled_is_answered_at_once_and_finished_by_the_next_call(host: Host, wrap: list[str]) -> None:
    make_wide(host.data / ".purge-1", 300_000)
    with host.plugin(wrap) as plugin:
        number = plugin.begin("storage.reap")
        wait_until(lambda: host.data.joinpath(".purge-1").stat().st_size < 300_000 * 20, 10, "it has begun")
        plugin.cancel(number)
        begun = time.monotonic()
        with pytest.raises(PluginFailure) as failure:
            plugin.answer(number)
        assert failure.value.code == -32003
        assert time.monotonic() - begun < 1
        assert plugin.call("plugin.ping") == {"ready": True}
        rest = plugin.call("storage.reap", timeout=60)["removed"]
        assert 0 < rest < 300_001
    assert host.leftovers() == []


@pytest.mark.parametrize("how", ["kill", "term", "input"])
def test_what_is_interrupted_is_finished_by_the_next_plugin(host: Host, wrap: list[str], how: str) -> None:
    make_wide(host.data / ".purge-1", 300_000)
    with host.plugin(wrap) as plugin:
        plugin.begin("storage.reap")
        wait_until(lambda: host.data.joinpath(".purge-1").stat().st_size < 300_000 * 20, 10, "it has begun")
        begun = time.monotonic()
        if how == "input":
            assert plugin.close() == 0
        else:
            plugin.send_signal(signal.SIGKILL if how == "kill" else signal.SIGTERM)
            assert plugin.wait() == (-signal.SIGKILL if how == "kill" else 0)
        assert time.monotonic() - begun < 2
    assert host.leftovers() == [".purge-1"]
    with host.plugin(wrap) as plugin:
        assert 0 < plugin.call("storage.reap", timeout=60)["removed"] < 300_001
    assert host.leftovers() == []


def test_calls_at_once_share_a_run_and_miss_nothing(host: Host, wrap: list[str]) -> None:
    make_wide(host.data / ".purge-1", 100_000)
    with host.plugin(wrap) as plugin:
        first = plugin.begin("storage.reap")
        (host.data / ".purge-0").mkdir()
        second = plugin.begin("storage.reap")
        assert plugin.answer(second, timeout=60) == plugin.answer(first)
    assert host.leftovers() == []


def test_two_plugins_at_once_do_not_get_into_each_others_way(host: Host, wrap: list[str]) -> None:
    make_wide(host.data / ".purge-1", 50_000)
    make_deep(host.data / ".purge-2", 3000)
    with host.plugin(wrap) as one, host.plugin(wrap) as other:
        first, second = one.begin("storage.reap"), other.begin("storage.reap")
        removed = one.answer(first, 60)["removed"] + other.answer(second, 60)["removed"]
    assert host.leftovers() == []
    assert removed == 53_001


def test_a_data_directory_that_is_a_link_is_refused(host: Host, wrap: list[str]) -> None:
    link = host.data.parent / "link"
    link.symlink_to(host.outside)
    with Plugin("storage", {**host.settings, "DataDirectory": str(link)}, wrap=wrap) as plugin:
        with pytest.raises(PluginFailure, match="is not a directory"):
            plugin.call("storage.reap")
    host.check_canaries()


@pytest.mark.parametrize("value", ["", "data", "./data", "/", "//"])
@pytest.mark.parametrize("name", ["DataDirectory", "LockDirectory"])
def test_a_directory_that_is_no_absolute_path_is_refused(host: Host, name: str, value: str) -> None:
    with pytest.raises(PluginFailure, match=name) as failure:
        Plugin("storage", {**host.settings, name: value})
    assert failure.value.reason == "invalid-argument"


# ---- races


_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def opened(top: Path, *names: str, make: bool = False) -> Iterator[int]:
    """A directory below another one, reached through no link: who swaps links in must not be led out by them himself."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    directory = os.open(top, flags)
    try:
        for name in names:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=directory)
            inner = os.open(name, flags, dir_fd=directory)
            os.close(directory)
            directory = inner
        yield directory
    finally:
        os.close(directory)


def exchange(one_directory: int, one: str, other_directory: int, other: str) -> None:
    """RENAME_EXCHANGE of renameat2(2): both names exist at every moment."""
    _libc.renameat2(one_directory, os.fsencode(one), other_directory, os.fsencode(other), 2)


def move(from_directory: int, one: str, to_directory: int, other: str) -> None:
    os.rename(one, other, src_dir_fd=from_directory, dst_dir_fd=to_directory)


def swap_links(top: Path, outside: Path) -> None:
    """Makes a tree, and turns its directories into links out and back as fast as it can."""
    choice = random.Random(os.getpid())
    while True:
        with contextlib.suppress(OSError):
            top.mkdir(exist_ok=True)
            for names in ("abc", "xy"):
                with opened(top, *names, make=True) as directory:
                    for number in range(20):
                        os.close(os.open(str(number), os.O_CREAT | os.O_WRONLY, dir_fd=directory))
        for _ in range(200):
            *parents, name = choice.choice(["a", "ab", "abc", "x", "xy"])
            with contextlib.suppress(OSError), opened(top) as root, opened(top, *parents) as parent:
                with contextlib.suppress(FileExistsError):
                    os.symlink(outside, "link", dir_fd=root)
                if choice.random() < 0.5:
                    exchange(parent, name, root, "link")
                    exchange(parent, name, root, "link")
                else:
                    move(parent, name, root, "away")
                    move(root, "link", parent, name)
                    move(parent, name, root, "link")
                    move(root, "away", parent, name)


def swap_name(path: Path, outside: Path) -> None:
    """Turns one directory into a link out and back as fast as it can."""
    link = "link-" + path.name.lstrip(".")
    with opened(path.parent) as parent:
        while True:
            for name in ("1", ".stale-race"):
                with contextlib.suppress(OSError), opened(path.parent, path.name, name, make=True):
                    pass
            with contextlib.suppress(FileExistsError):
                os.symlink(outside, link, dir_fd=parent)
            for _ in range(100):
                exchange(parent, path.name, parent, link)


@contextlib.contextmanager
def racing(*jobs: tuple[Callable[..., None], Path, Path]) -> Iterator[None]:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=job, args=arguments, daemon=True) for job, *arguments in jobs]
    for process in processes:
        process.start()
    try:
        yield
        assert all(process.is_alive() for process in processes)
    finally:
        for process in processes:
            process.kill()
            process.join()


def test_swapped_links_lead_nowhere(host: Host, wrap: list[str], measured: Callable[[str], None]) -> None:
    races = [
        (swap_links, host.data / ".purge-race", host.outside),
        (swap_links, host.locks / "7" / ".stale-race", host.outside),
        (swap_name, host.data / ".purge-name", host.outside),
        (swap_name, host.locks / "9", host.outside),
    ]
    reaps, removed = 0, 0
    with racing(*races), host.plugin(wrap) as plugin:
        end = time.monotonic() + 8
        while time.monotonic() < end:
            number = plugin.begin("storage.reap")
            try:
                # The racers may add for ever; the core's deadline ends that.
                removed += plugin.answer(number, 2)["removed"]
            except TimeoutError:
                plugin.cancel(number)
                with contextlib.suppress(PluginFailure):
                    plugin.answer(number, 2)
            except PluginFailure as failure:
                assert failure.reason == "failed", failure
                removed += int((failure.detail or "").rpartition(" ")[2])
            reaps += 1
        host.check_canaries()
    measured(f"storage.reap under racing swaps: {reaps} calls, {removed} entries removed, canaries intact")
    assert reaps > 3 and removed > 100
    host.check_canaries()
    with host.plugin(wrap) as plugin:
        plugin.call("storage.reap")
    host.check_canaries()


# ---- storage.lock-space


def mounted(path: Path) -> bool:
    return os.path.ismount(path)


@pytest.fixture
def spaces(host: Host) -> Iterator[Host]:
    (host.locks / "8").mkdir()
    for name in ("7", "8"):
        os.chown(host.locks / name, CORE_UID, CORE_UID)
    yield host
    for name in ("7", "8"):
        if mounted(host.locks / name):
            must(["umount", host.locks / name])


def test_an_app_gets_a_small_file_system_of_the_core_s(spaces: Host) -> None:
    with spaces.plugin([]) as plugin:
        assert plugin.call("storage.lock-space", {"appId": 8}) == {}
        assert plugin.call("storage.lock-space", {"appId": 8}) == {}, "once more changes nothing"
    place = spaces.locks / "8"
    assert mounted(place)
    status, size = place.stat(), os.statvfs(place)
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (CORE_UID, 0o755)
    assert size.f_frsize * size.f_blocks <= 1 << 20 and size.f_files <= 1024
    line = next(line for line in Path("/proc/mounts").read_text().splitlines() if f" {place} " in line)
    assert {"nosuid", "nodev", "noexec"} <= set(line.split()[3].split(","))
    # What the core renames away in there is still reaped.
    (place / ".stale-x").mkdir()
    with spaces.plugin([]) as plugin:
        assert plugin.call("storage.reap") == {"removed": 1}


REASONS = {
    "in use": "not empty",
    "link": "Not a directory|symbolic links",
    "file": "Not a directory",
    "missing": "No such file",
    "foreign": "not permitted",
}


@pytest.mark.parametrize("kind", REASONS)
def test_nothing_else_is_mounted_on(spaces: Host, kind: str) -> None:
    place = spaces.locks / "8"
    if kind != "foreign":
        place.rmdir()
    if kind == "in use":
        place = spaces.locks / "7"
    elif kind == "link":
        (spaces.outside / "empty").mkdir()
        place.symlink_to(spaces.outside / "empty")
    elif kind == "file":
        place.write_text("")
    elif kind == "foreign":
        os.chown(place, 0, 0)
    with spaces.plugin([]) as plugin:
        with pytest.raises(PluginFailure, match=REASONS[kind]):
            plugin.call("storage.lock-space", {"appId": int(place.name)})
    assert not mounted(place) and not mounted(spaces.outside / "empty")
    spaces.check_canaries()


def test_a_plugin_that_may_not_mount_leaves_it_to_the_service(spaces: Host, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    socket = tmp_path / "lock-space.sock"
    program = binary("supervisor-plugin-storage")
    service = Process(
        ["systemd-socket-activate", "--accept", "--inetd", "-l", socket, program, "--lock-space", spaces.locks],
        tmp_path / "service.log",
    )
    try:
        wait_until(socket.exists, 5, "the service listens")
        socket.chmod(0o666)
        settings = {**spaces.settings, "LockSpaceSocket": str(socket)}
        with Plugin("storage", settings, wrap=PRIVILEGES["capabilities"]) as plugin:
            plugin.call("storage.lock-space", {"appId": 8})
            assert mounted(spaces.locks / "8")
            with pytest.raises(PluginFailure, match="not empty"):
                plugin.call("storage.lock-space", {"appId": 7})
    finally:
        service.kill()


@pytest.mark.parametrize("request_line", ["", "8", "../8\n", "08\n", "-1\n", "8 \n", "99999999999999999999\n"])
def test_the_service_takes_ids_only(spaces: Host, request_line: str) -> None:
    command = [str(binary("supervisor-plugin-storage")), "--lock-space", str(spaces.locks)]
    done = subprocess.run(command, input=request_line, capture_output=True, text=True, timeout=10)
    assert done.returncode == 1 and done.stdout.startswith("not a line")
    assert not mounted(spaces.locks / "8")
