#!/usr/bin/python3
"""The tables of scripts/bench, from what its stages left in a folder: as text, and with --write into docs/performance.md.

In the page each table stands between <!-- bench:NAME --> and <!-- /bench:NAME -->. Status 1 where an expectation that is
robust enough to be one is not met.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable

PAGE = Path(__file__).resolve().parent.parent.parent / "docs/performance.md"
OURS, NODE, GO = "supervisor", "node-express", "Go net/http"


@dataclass
class Table:
    name: str
    title: str
    head: list[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        widths = [max(len(row[column]) for row in [self.head, *self.rows]) for column in range(len(self.head))]
        line = lambda row: "  ".join(  # noqa: E731
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        return "\n".join([self.title, "", line(self.head), *map(line, self.rows), "", *self.wrapped_notes])

    def markdown(self) -> str:
        line = lambda row: "| " + " | ".join(row) + " |"  # noqa: E731
        rows = [line(self.head), line(["---"] * len(self.head)), *map(line, self.rows)]
        return "\n".join([*self.wrapped_notes, *([""] if self.notes else []), *rows])

    @property
    def wrapped_notes(self) -> list[str]:
        return textwrap.wrap(" ".join(self.notes), 120)


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: list[float], suffix: str = "") -> str:
    """Median, and from the least to the most of the rounds."""
    text = number(statistics.median(values)) + suffix
    return text if len(values) == 1 else f"{text} ({number(min(values))} to {number(max(values))})"


ROWS = [
    ("start to the first answer, ms", "start"),
    ("resident memory, idle, MB", "idle resident"),
    ("private memory, idle, MB", "idle private"),
    ("proportional memory, idle, MB", "idle proportional"),
    ("resident memory after {requests} requests, MB", "after resident"),
    ("private memory after them, MB", "after private"),
    ("proportional memory after them, MB", "after proportional"),
    ("threads", "threads"),
    ("voluntary context switches in 60 s without a request", "switches"),
]
PER_ENDPOINT = [
    ("{path} at {rate}/s: 50 % within, us", "{endpoint} paced p50"),
    ("{path} at {rate}/s: 99 % within, us", "{endpoint} paced p99"),
    ("{path} at {rate}/s: processor time of a request, us", "{endpoint} paced cpu"),
    ("{path} at full load: processor time of a request, us", "{endpoint} cpu 16"),
    ("{path} a second, 1 connection", "{endpoint} rate 1"),
    ("{path} a second, 16 connections", "{endpoint} rate 16"),
    ("{path} a second, 64 connections", "{endpoint} rate 64"),
]


def peers(result: dict[str, Any]) -> list[Table]:
    values, plan, versions = result["values"], result["plan"], result["versions"]
    names = list(versions)
    table = Table(
        "peers",
        "Side by side",
        ["what", *names],
        notes=[
            f"{', '.join(f'{name} {version}' for name, version in versions.items())}; {result['processors']} processors. "
            f"The median of {plan['starts']} starts, of {plan['paced_rounds']} rounds of {plan['paced_seconds']:g} s at the "
            f"constant rate, of {plan['full_rounds']} rounds of {plan['full_seconds']} s at full load, and from the least to "
            f"the most. GET /v1/device answers {result['device_bytes']} bytes. Memory and threads of nginx are of its two processes together."
        ],
    )
    names_of = {"requests": number(plan["requests"]), "rate": number(plan["rate"])}
    for label, row in ROWS:
        table.rows.append([label.format(**names_of), *(spread(values[row][name]) for name in names)])
    for endpoint, path in (("ping", "/ping"), ("device", "/v1/device")):
        for label, row in PER_ENDPOINT:
            row = row.format(endpoint=endpoint)
            cells = [spread(values[row][name]) for name in names]
            table.rows.append([label.format(path=path, **names_of), *cells])
    late = statistics.median(value for name in names for value in values["ping paced late"][name])
    table.notes[0] += f" The generator of the constant rate itself was late by {number(late)} us or less 99 times in 100."
    tables = [table, expectations(values)]
    if "calls" in result:
        calls = Table("calls", "System calls of a request at a constant rate", ["what", *names])
        for endpoint, path in (("ping", "/ping"), ("device", "/v1/device")):
            calls.rows.append(
                [f"GET {path}", *(number(sum(result["calls"][endpoint][name].values())) for name in names)]
            )
            for call in sorted({call for name in names for call in result["calls"][endpoint][name]}):
                cells = [number(result["calls"][endpoint][name].get(call, 0)) for name in names]
                if any(result["calls"][endpoint][name].get(call, 0) >= 0.05 for name in names):
                    calls.rows.append([f"of them {call}", *cells])
        tables.append(calls)
    return tables


@dataclass
class Expectation:
    text: str
    #: the two rows' values round by round are divided; at least, or at most, so much
    above: tuple[str, str]
    below: tuple[str, str]
    limit: float
    at_least: bool
    #: a machine that others use too does not change it
    is_robust: bool


EXPECTED = [
    Expectation(
        "resident memory after the requests, node-express to ours",
        (NODE, "after resident"), (OURS, "after resident"), 5, True, True,
    ),
    Expectation(
        "/ping a second at 16 connections, ours to node-express", (OURS, "ping rate 16"), (NODE, "ping rate 16"), 5, True, True
    ),
    Expectation(
        "/v1/device a second at 16 connections, ours to node-express",
        (OURS, "device rate 16"), (NODE, "device rate 16"), 5, True, False,
    ),
    Expectation("99 % of /ping within, ours to Go", (OURS, "ping paced p99"), (GO, "ping paced p99"), 1, False, False),
    Expectation(
        "99 % of /v1/device within, ours to Go", (OURS, "device paced p99"), (GO, "device paced p99"), 1, False, False
    ),
    Expectation(
        "processor time of /ping at the constant rate, ours to Go",
        (OURS, "ping paced cpu"), (GO, "ping paced cpu"), 0.5, False, False,
    ),
    Expectation(
        "processor time of /ping at full load, ours to Go", (OURS, "ping cpu 16"), (GO, "ping cpu 16"), 0.5, False, False
    ),
    Expectation(
        "processor time of /v1/device at the constant rate, ours to Go",
        (OURS, "device paced cpu"), (GO, "device paced cpu"), 0.5, False, False,
    ),
    Expectation(
        "processor time of /v1/device at full load, ours to Go",
        (OURS, "device cpu 16"), (GO, "device cpu 16"), 0.5, False, False,
    ),
]  # fmt: skip

failures: list[str] = []


def expectations(values: dict[str, dict[str, list[float]]]) -> Table:
    table = Table("expected", "What was expected", ["ratio, the median of the rounds", "measured", "expected", ""])
    for one in EXPECTED:
        pairs = zip(values[one.above[1]][one.above[0]], values[one.below[1]][one.below[0]])
        ratios = [above / below for above, below in pairs]
        ratio = statistics.median(ratios)
        is_met = ratio >= one.limit if one.at_least else ratio <= one.limit
        if not is_met and one.is_robust:
            failures.append(one.text)
        expected = f"{'at least' if one.at_least else 'at most'} {one.limit:g}"
        table.rows.append([one.text, spread(ratios), expected, "met" if is_met else "not met"])
    return table


def planning(result: dict[str, Any]) -> list[Table]:
    table = Table("planning", "Planning", ["services", "nothing to do, us", "one changed, us", "all changed, us", "none there yet, us"])
    for row in result["planning"]:
        cells = [number(row[name]) for name in ("same", "one", "all", "none")]
        table.rows.append([number(row["services"]), *cells])
    table.notes = ["The best median of five batches."]
    return [table]


def downtime(log: str) -> list[Table]:
    found = re.search(r"downtime, median of (\d+) pairs: ours (.*?), docker stop, rm, run (.*)", log)
    if not found:
        return []
    table = Table("downtime", "Update downtime", ["from the end of a container to the start of the next", "ms"])
    table.rows = [["supervisor", found[2].replace(" ms", "")], ["docker stop, rm, run", found[3].replace(" ms", "")]]
    table.notes = [f"The median of {found[1]} pairs, in turn; from the least to the most."]
    return [table]


def trip(result: dict[str, Any]) -> list[Table]:
    table = Table("trip", "Core to plugin and back", ["what", "us"])
    table.rows = [[name, number(value)] for name, value in result["values"].items()]
    return [table]


def profile(result: dict[str, Any]) -> list[Table]:
    table = Table("profile", "Where the time of a request goes", ["share of the processor time, %", "/ping", "/v1/device"])
    parts = [result["ping"], result["device"]]
    kernel = [part["system"] * 100 / max(1, part["user"] + part["system"]) for part in parts]
    table.rows.append(["in the kernel, by its own count", *(f"{share:.0f}" for share in kernel)])
    if all(part.get("shares") for part in parts):
        names = {name for part in parts for name in part["shares"]}
        weight = lambda name: sum(part["shares"].get(name, 0) for part in parts)  # noqa: E731
        for name in sorted(names, key=weight, reverse=True):
            if weight(name) >= 1:
                table.rows.append([name, *(f"{part['shares'].get(name, 0):.1f}" for part in parts)])
        samples = " and ".join(number(part["samples"]) for part in parts)
        table.notes = [f"From {samples} samples at full load, 16 connections."]
    return [table]


SERVICES = [
    ("all installed within, s", "install"),
    ("resident memory then, MB", "resident when installed"),
    ("the API answers after a start of the supervisor within, ms", "api after start"),
    ("resident memory, idle, MB", "resident"),
    ("private memory, idle, MB", "private"),
    ("proportional memory, idle, MB", "proportional"),
    ("threads", "threads"),
    ("voluntary context switches in 60 s without a request", "switches"),
    ("processor time in these 60 s, ms", "processor"),
    ("from a touch of the target to rest, nothing to change, ms", "cycle"),
    ("processor time of that, ms", "cycle cpu"),
    ("processor time of the engine in that, ms", "cycle engine cpu"),
    ("update of one service among them, until all rests, ms", "update"),
    ("GET /ping, 50 % within, us", "ping p50"),
    ("GET /ping, 99 % within, us", "ping p99"),
    ("GET /v1/device, 50 % within, us", "device p50"),
    ("GET /v1/device, 99 % within, us", "device p99"),
    ("resident memory after all this, MB", "resident after all"),
]


def services(result: dict[str, Any]) -> list[Table]:
    count = result["apps"] * result["services"]
    table = Table(
        "services",
        f"{count} services on one device",
        ["what", f"{result['apps']} apps of {result['services']} services, {result['images']} images"],
    )
    table.rows = [[label, spread(result["values"][row])] for label, row in SERVICES if row in result["values"]]
    return [table]


def tables(folder: Path) -> Iterable[Table]:
    for stage, make in (("peers", peers), ("planning", planning), ("trip", trip), ("profile", profile), ("services", services)):
        file = folder / f"{stage}.json"
        if file.exists():
            made = make(json.loads(file.read_text()))
            if json.loads(file.read_text()).get("quick"):
                for table in made:
                    table.notes.append("A quick look, not a measurement.")
            yield from made
        if stage == "planning" and (folder / "downtime.log").exists():
            yield from downtime((folder / "downtime.log").read_text())


def write(made: list[Table]) -> None:
    page = PAGE.read_text()
    for table in made:
        begin, end = f"<!-- bench:{table.name} -->", f"<!-- /bench:{table.name} -->"
        if begin not in page or end not in page:
            sys.exit(f"bench: docs/performance.md has no place for the table {table.name}")
        before, rest = page.split(begin, 1)
        page = f"{before}{begin}\n{table.markdown()}\n{end}{rest.split(end, 1)[1]}"
    PAGE.write_text(page)
    print(f"bench: {len(made)} tables written into docs/performance.md")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with what the stages left")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md, too")
    options = parser.parse_args()
    made = list(tables(options.folder))
    for table in made:
        print(f"\n== {table.text()}".rstrip())
    print()
    (options.folder / "tables.md").write_text("\n\n".join(f"### {one.title}\n\n{one.markdown()}" for one in made) + "\n")
    if options.write:
        write(made)
    if failures:
        print(f"bench: not as expected: {'; '.join(failures)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
