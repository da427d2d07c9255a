"""A control group of its own for each machine, in every hierarchy: a host takes the top of what it sees for itself."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def hierarchies() -> list[Path]:
    """Version 1 has one for each controller, perhaps with version 2 beside them; version 2 has one."""
    found = [ROOT] if (ROOT / "cgroup.procs").exists() else []
    return found + [path for path in sorted(ROOT.iterdir()) if (path / "cgroup.procs").exists() and path.is_mount()]


def create(name: str) -> list[Path]:
    """Makes the group in every hierarchy and returns the files that a process is written to."""
    files = []
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for inherited in ("cpuset.cpus", "cpuset.mems"):
            if (hierarchy / inherited).exists() and not (group / inherited).read_text().strip():
                (group / inherited).write_text((hierarchy / inherited).read_text())
        files.append(group / "cgroup.procs")
    return files


def remove(name: str) -> None:
    """Ends what is still in the group and removes it."""
    end = time.monotonic() + 5
    for hierarchy in hierarchies():
        while (hierarchy / name).exists() and time.monotonic() < end:
            for folder, _, _ in os.walk(hierarchy / name, topdown=False):
                try:
                    for pid in (Path(folder) / "cgroup.procs").read_text().split():
                        os.kill(int(pid), signal.SIGKILL)
                    os.rmdir(folder)
                except OSError:
                    time.sleep(0.02)  # what was killed is not gone yet
