"""A disk that can hang."""

from __future__ import annotations

import os
from pathlib import Path

from .processes import Process, must, run
from .supervisor import User
from .waiting import wait_until


class Disk:
    """An ext4 of its own, by a program. While that is stopped, whoever asks the disk blocks, as with a card that dies."""

    def __init__(self, root: Path, point: Path, user: User) -> None:
        self.point = point
        image = root / f"{point.name}.ext4"
        with image.open("wb") as file:
            file.truncate(64 << 20)
        owner = f"root_owner={user.uid}:{user.gid}"
        must(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", owner, image])
        # The kernel keeps nothing in mind: it asks each time.
        options = "allow_other,nonempty,entry_timeout=0,negative_timeout=0,attr_timeout=0"
        self._process = Process(["fuse2fs", "-f", image, point, "-o", options], root / "disk.log")
        wait_until(lambda: os.path.ismount(point), 10, f"the disk is mounted: {self._process.log}")

    def hang(self) -> None:
        self._process.freeze()

    def go_on(self) -> None:
        self._process.thaw()

    def dispose(self) -> None:
        self.go_on()
        run(["umount", "-l", self.point])
        self._process.kill()
