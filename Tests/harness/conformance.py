"""Runs supervisor-plugin-check and reads its TAP."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Sequence

from .paths import REPOSITORY
from .supervisor import binary

EXAMPLES = REPOSITORY / "examples" / "plugins"
_LINE = re.compile(r"(not )?ok (\d+) - (\S+)(?: # SKIP (.*))?")


@dataclass
class Conformance:
    status: int
    output: str
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    #: id -> reason
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        return [*self.passed, *self.failed, *self.skipped]


def check(target: str | Path, *options: str, timeout: float = 150) -> Conformance:
    """`target` is an executable, or "--socket=PATH"."""
    command = [str(binary("supervisor-plugin-check")), *options, str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    result = Conformance(done.returncode, done.stdout + done.stderr)
    count = 0
    for line in done.stdout.splitlines():
        if not (match := _LINE.fullmatch(line)):
            continue
        count += 1
        assert int(match[2]) == count, line
        if match[4] is not None:
            result.skipped[match[3]] = match[4]
        else:
            (result.failed if match[1] else result.passed).append(match[3])
    if done.returncode in (0, 1):
        # A reader of TAP needs the version first and a plan that fits.
        assert done.stdout.startswith("TAP version 14\n"), result.output
        assert f"\n1..{count}\n" in done.stdout, result.output
    assert len(set(result.ids)) == count, result.output
    return result


def scripted(folder: Path, script: dict[str, Sequence[dict[str, Any]]], *options: str) -> Path:
    """An executable that is the scripted plugin with this script; what it gets is in `folder`/journal."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "script").write_text(json.dumps(script))
    words = [binary("supervisor-plugin-scripted"), "--script", folder / "script", "--journal", folder / "journal", *options]
    plugin = folder / "plugin"
    plugin.write_text("#!/bin/sh\nexec " + " ".join(shlex.quote(str(word)) for word in words) + "\n")
    plugin.chmod(0o755)
    return plugin
