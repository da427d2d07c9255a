"""What a run chooses at random comes from here, so that another run can choose the same."""

from __future__ import annotations

import os
import time

SEED = int(os.environ.get("SUPERVISOR_TEST_SEED", str(time.time_ns() % 1_000_000)))
