"""Where the repository and the folders of a run are."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
#: The sandbox's folder in memory; see scripts/sandbox.
SANDBOX_ROOT = Path(os.environ.get("SUPERVISOR_TEST_ROOT", "/nonexistent"))
#: Where scripts/device and scripts/board keep the machines of a run.
MACHINE_ROOT = Path(os.environ.get("SUPERVISOR_MACHINE_ROOT", "/nonexistent"))
