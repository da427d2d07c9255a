"""The outside: a bridge in the network namespace of the caller that the machine's outside interface is joined to.

Nothing else is on it and nothing is routed; tests join neighbours to it.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from machine.common import Failure, run


@dataclass(frozen=True)
class Outside:
    """One machine's outside. The bridge has the first address of each network, the machine the second."""

    number: int

    @property
    def bridge(self) -> str:
        return f"svm{self.number}"

    @property
    def address(self) -> str:
        return f"10.86.{self.number}.2"

    @property
    def address6(self) -> str:
        return f"fd86:0:0:{self.number:x}::2"

    def create(self) -> None:
        link = ["ip", "link", "add", self.bridge, "type", "bridge", "forward_delay", "0"]
        run(link, "the bridge to the outside cannot be made")
        run(["ip", "address", "add", f"10.86.{self.number}.1/24", "dev", self.bridge], "the bridge gets no address")
        six = ["ip", "-6", "address", "add", f"fd86:0:0:{self.number:x}::1/64", "dev", self.bridge, "nodad"]
        subprocess.run(six, stderr=subprocess.DEVNULL)  # a machine may be without IPv6
        run(["ip", "link", "set", self.bridge, "up"], "the bridge to the outside does not come up")

    def remove(self) -> None:
        subprocess.run(["ip", "link", "delete", self.bridge], stderr=subprocess.DEVNULL)


def free_outside() -> Outside:
    """Makes the outside with the lowest number that is free in this network namespace."""
    for number in range(1, 251):
        outside = Outside(number)
        if subprocess.run(["ip", "link", "show", outside.bridge], capture_output=True).returncode == 0:
            continue
        try:
            outside.create()
        except Failure as failure:
            if "File exists" in str(failure):  # somebody was faster
                continue
            outside.remove()
            raise
        return outside
    raise Failure("250 machines are up already")
