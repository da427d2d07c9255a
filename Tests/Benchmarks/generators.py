"""What makes load: wrk for as much as a service can take, and a generator of our own for a constant rate."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from harness.processes import must
from servers import Server

#: The generator has the last processor to itself as far as it goes; the services may use all.
PINNED = ["taskset", "-c", str(os.cpu_count() - 1)] if (os.cpu_count() or 1) > 1 else []


@dataclass
class Paced:
    """A window at a constant rate; microseconds."""

    p50: float
    p99: float
    mean: float
    #: processor time of the service for one request
    cpu: float
    #: by how much the generator itself was behind, 99 % within
    late: float


@dataclass
class Full:
    """A window of as many requests as there can be."""

    rate: float
    #: microseconds of the service's processor time for one request
    cpu: float


def pace(server: Server, endpoints: list[str], connections: int, count: int, rate: int) -> dict[str, object]:
    """`count` requests over keep-alive connections, `rate` a second, or as fast as they are answered for 0."""
    files = [server.requests[endpoint] for endpoint in endpoints]
    program = Path(os.environ["BENCH_PACE"])
    command = [*PINNED, program, "127.0.0.1", str(server.port), str(connections), str(count), str(rate), *files]
    return json.loads(must(command, timeout=300))


def paced(server: Server, endpoint: str, connections: int, rate: int, seconds: float) -> Paced:
    # The first answers of a window are those of connections just made.
    pace(server, [endpoint], connections, rate // 2, rate)
    before = server.cpu()
    result = pace(server, [endpoint], connections, int(rate * seconds), rate)
    cpu = server.cpu() - before
    number = lambda name: float(str(result[name]))  # noqa: E731
    late = result["late"]
    assert isinstance(late, dict)
    return Paced(number("p50"), number("p99"), number("mean"), cpu / number("requests") * 1e6, late["p99"])


def full(server: Server, endpoint: str, connections: int, seconds: int) -> Full:
    before = server.cpu()
    said = must([*PINNED, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", server.url(endpoint)], timeout=60)
    cpu = server.cpu() - before
    assert "Non-2xx" not in said and "Socket errors" not in said, f"{server.name}: {said}"
    count = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert count and rate, said
    return Full(float(rate[1]), cpu / int(count[1]) * 1e6)
