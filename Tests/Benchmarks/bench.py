#!/usr/bin/python3
"""One stage of scripts/bench, inside the sandbox: measures, and leaves a JSON file for the tables."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path

#: The modules of the stages; each has run(quick) -> what goes into the file.
STAGES = {"peers": "side_by_side", "trip": "round_trip", "profile": "request_profile", "services": "many_services"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, required=True, help="the file for the result")
    options = parser.parse_args()
    if os.environ.get("SUPERVISOR_TEST_SANDBOX") != "1":
        sys.exit("bench: start it as scripts/bench")
    begin = time.monotonic()
    result = importlib.import_module(STAGES[options.stage]).run(options.quick)
    result = {"quick": options.quick, "seconds": time.monotonic() - begin, **result}
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"bench: {options.stage}: {result['seconds']:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
