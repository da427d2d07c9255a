"""The file systems that machines run on, in layers that are made once and kept.

base: Debian as mmdebstrap makes it. kernel: Debian's kernel and its modules (boards only). host: what makes the base a
host of ours, and the packages. fetched: packages of Debian that a test installs. Each layer is a folder named after a
digest of all that goes into it; machines put them on top of each other with overlayfs and write to a layer of their
own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import Callable

from machine.common import CACHE, CONFINED, PACKAGES, REPOSITORY, Failure, digest, locked, progress, run, say

IMAGE = Path(__file__).resolve().parent / "image"
SUITE = "bookworm"
BASE = (
    "systemd systemd-sysv dbus polkitd udev kmod libnss-myhostname procps"
    " iproute2 nftables iptables redsocks docker.io apparmor ca-certificates openssl curl jq socat busybox-static"
).split()
KERNEL = "linux-image-cloud-amd64"
#: The modules that the board's disk and network need, each after those that it needs itself.
DRIVERS = (
    "virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk"
    " failover net_failover virtio_net"
).split()
#: How many layers of a kind stay when newer ones are made; those in use always do.
KEPT = {"base": 2, "kernel": 1, "host": 4, "image": 2, "fetched": 2}

_in_use: list[object] = []


def _layer(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The layer of that key, made if it is not there; this process keeps it from being removed."""
    path = CACHE / f"{kind}-{key}"
    with locked(CACHE / "layers.lock"):
        if not path.exists():
            for half in CACHE.glob(f"{kind}-*.new"):
                _remove(half)
            making = CACHE / f"{path.name}.new"
            making.mkdir(parents=True)
            try:
                build(making)
            except BaseException:
                _remove(making)
                raise
            making.rename(path)
        use = open(CACHE / f"{path.name}.lock", "a")
        fcntl.flock(use, fcntl.LOCK_SH)
        os.utime(use.name)
        os.set_inheritable(use.fileno(), True)
        _in_use.append(use)
        _prune(kind)
    return path


def held() -> list[int]:
    """The descriptors that keep this process's layers; a keeper inherits them."""
    return [use.fileno() for use in _in_use]  # type: ignore[attr-defined]


def _prune(kind: str) -> None:
    locks = sorted(CACHE.glob(f"{kind}-*.lock"), key=lambda file: file.stat().st_mtime, reverse=True)
    for lock in locks[KEPT[kind] :]:
        with open(lock, "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            _remove(lock.with_suffix(""))
            lock.unlink()


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def base() -> Path:
    def build(folder: Path) -> None:
        with progress("making the Debian base, once: 125 MB to download") as enter:
            run(
                [*CONFINED, "mmdebstrap", "--variant=minbase", f"--include={','.join(BASE)}", SUITE, folder],
                "the base cannot be made",
                # Its steps are lines that begin with "I: "; the others are of dpkg and of scripts.
                lambda line: enter(line[3:].rstrip(".")) if line.startswith("I: ") else None,
            )

    return _layer("base", digest(SUITE, *BASE), build)


def kernel() -> Path:
    """vmlinuz, the initramfs `initrd`, the kernel's `version`, and the modules under usr/lib/modules."""

    def build(folder: Path) -> None:
        extracted = folder / "extracted"
        with progress("fetching the kernel, once"):
            run(
                [*CONFINED, "mmdebstrap", "--variant=extract", f"--include={KERNEL}", SUITE, extracted],
                "the kernel cannot be fetched",
            )
        (vmlinuz,) = (extracted / "boot").glob("vmlinuz-*")
        version = vmlinuz.name.removeprefix("vmlinuz-")
        vmlinuz.rename(folder / "vmlinuz")
        modules = folder / "tree/usr/lib/modules"
        modules.mkdir(parents=True)
        (extracted / "lib/modules" / version).rename(modules / version)
        (folder / "tree/lib").symlink_to("usr/lib")
        run(["depmod", "-b", folder / "tree", version], "the kernel's modules cannot be listed")
        (folder / "tree/lib").unlink()
        (folder / "version").write_text(version)
        _initramfs(folder, modules / version / "kernel")
        shutil.rmtree(extracted)

    return _layer("kernel", digest(SUITE, KERNEL, *DRIVERS, (IMAGE / "initramfs-init").read_bytes()), build)


def _initramfs(folder: Path, modules: Path) -> None:
    tree = folder / "initramfs"
    for name in ("bin", "m", "proc", "dev", "sys", "r"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin/busybox")
    shutil.copy(IMAGE / "initramfs-init", tree / "init")
    (tree / "init").chmod(0o755)
    (tree / "modules").write_text("\n".join(DRIVERS) + "\n")
    for module in DRIVERS:
        (found,) = modules.rglob(f"{module}.ko")
        shutil.copy(found, tree / "m")
    script = 'cd "$1" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 >"$2"'
    run(["/bin/bash", "-c", script, "-", tree, folder / "initrd"], "the initramfs cannot be packed")
    shutil.rmtree(tree)


def packages(board: str) -> list[Path]:
    """The packages that a machine of this board gets: all but other boards' and debugging symbols; perhaps none."""
    chosen = []
    for file in sorted(PACKAGES.glob("*.deb")):
        name = file.name.split("_")[0]
        of_other_board = name.startswith("device-supervisor-board-") and name != f"device-supervisor-board-{board}"
        if name.endswith("-dbgsym") or of_other_board:
            continue
        chosen.append(file)
    if chosen and not any(file.name.startswith(f"device-supervisor-board-{board}_") for file in chosen):
        raise Failure(f"there is no package device-supervisor-board-{board} in {PACKAGES}")
    return chosen


def host(board: str, base: Path) -> Path:
    """The base as a host of ours, with the packages; `tree` in it is the layer, `packages` says what is installed."""
    files = packages(board)
    image = sorted(file for file in IMAGE.rglob("*") if file.is_file())
    examples = [REPOSITORY / "examples/demo-app", REPOSITORY / "examples/demo-apps.json"]
    key = digest(
        base.name,
        board,
        *(part for file in image + examples + files for part in (file.name, file.read_bytes())),
    )

    def build(folder: Path) -> None:
        if not files:
            say(f"there are no packages in {PACKAGES}; the host is made without them")
        debs = folder / "debs"
        debs.mkdir()
        for file in files:
            shutil.copy(file, debs)
        for name in ("tree", "work", "root"):
            (folder / name).mkdir()
        with progress(f"installing {len(files)} packages for the board {board}" if files else "making the host"):
            run(
                [*CONFINED, "/bin/bash", IMAGE / "install", base, folder, *examples],
                "the packages cannot be installed",
            )
        for name in ("debs", "work", "root"):
            shutil.rmtree(folder / name)
        (folder / "packages").write_text("".join(file.name + "\n" for file in files))

    return _layer("host", key, build)


def fetched(names: list[str], base: Path) -> Path:
    """Packages of Debian with what they need beyond the base.

    `archives` in it has the .deb files and `lists` the package lists, both as apt keeps them: a machine that has them
    in /var/cache/apt/archives and /var/lib/apt/lists installs from its own sources without a network.
    """

    def build(folder: Path) -> None:
        for part in ("lists/partial", "archives/partial"):
            (folder / part).mkdir(parents=True)
        etc = base / "etc/apt"
        settings = {
            "Dir::State::status": base / "var/lib/dpkg/status",
            "Dir::State::extended_states": base / "var/lib/apt/extended_states",
            "Dir::State::lists": folder / "lists",
            "Dir::Cache::archives": folder / "archives",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::sourcelist": etc / "sources.list",
            "Dir::Etc::sourceparts": etc / "sources.list.d",
            "Dir::Etc::trustedparts": etc / "trusted.gpg.d",
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "root",
        }
        apt = ["apt-get", "-q", "-y", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]
        what = f"{' '.join(names)} cannot be fetched"
        with progress(f"fetching {' '.join(names)} from Debian, once"):
            run([*apt, "update"], what)
            run([*apt, "install", "--no-install-recommends", "--download-only", *names], what)
        for part in ("lists/partial", "archives/partial"):
            _remove(folder / part)

    return _layer("fetched", digest(base.name, *names), build)


def disk(lower: list[Path], megabytes: int = 3000) -> Path:
    """The layers as one ext4 image, `disk.raw` in the folder. `lower` is ordered from the top down."""

    def build(folder: Path) -> None:
        (folder / "root").mkdir()
        script = (
            'mount -t overlay overlay -o "ro,lowerdir=$1" "$2/root" && '
            'mke2fs -q -F -t ext4 -L root -E lazy_itable_init=1 -d "$2/root" "$2/disk.raw" "$3"M'
        )
        trees = ":".join(str(tree) for tree in lower)
        with progress("making the board's disk"):
            run([*CONFINED, "/bin/bash", "-c", script, "-", trees, folder, str(megabytes)], "the disk cannot be made")
        (folder / "root").rmdir()

    return _layer("image", digest(*(str(tree) for tree in lower), str(megabytes)), build)
