"""Our Debian packages, for a machine that they are installed on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .paths import REPOSITORY

#: apt-get for scripts: without questions and progress.
QUIET = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0"


def packages() -> list[Path]:
    return sorted(Path(os.environ.get("SUPERVISOR_DEB_DIR", REPOSITORY / ".build/deb")).glob("*.deb"))


def next_version(file: Path, folder: Path) -> Path:
    """The same package as its next version has it: 0.1.0 is 0.1.1 in everything that it says of versions."""
    tree = folder / file.stem
    subprocess.run(["dpkg-deb", "--raw-extract", file, tree], check=True)
    control = tree / "DEBIAN/control"
    text = control.read_text()
    version = next(line.split()[1] for line in text.splitlines() if line.startswith("Version:"))
    head, _, last = version.rpartition(".")
    control.write_text(text.replace(version, f"{head}.{int(last) + 1}"))
    built = folder / file.name
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", "-Zgzip", tree, built], check=True, capture_output=True)
    return built
