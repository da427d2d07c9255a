"""scripts/device and scripts/board: the commands."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time

from machine import common, layers
from machine.board import Board
from machine.common import Failure, say
from machine.device import Device
from machine.machine import Machine

USAGE = {
    "up": "start it, and wait until it has booted and its API answers",
    "run": "start it, say what to try, show what the supervisor logs, and end it on Ctrl-C",
    "build": "make the layers that `up` needs, and nothing else",
    "fetch": "download packages of Debian that it lacks: fetch PACKAGE...; prints the folder they are in",
    "status": "what it is doing; with --json for programs",
    "exec": "run a command on it as root: exec -- COMMAND...",
    "logs": "its journal, of all its boots; -f follows it",
    "down": "power it off; its disk stays",
    "reset": "end it and forget its disk",
    "list": "all that there are",
}


def parser(kind: str) -> argparse.ArgumentParser:
    what = {"device": "the virtual device", "board": "the board"}[kind]
    top = argparse.ArgumentParser(prog=f"scripts/{kind}", description=f"{what}: a whole host to run the packages on")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, help in USAGE.items():
        sub = commands.add_parser(command, help=help, description=help)
        sub.add_argument("--name", default=kind, help=f"which one (default: {kind})")
        if command in ("up", "run", "build"):
            sub.add_argument("--board", help="whose packages: generic, raspberrypi, qemu")
        if command == "up":
            sub.add_argument("--no-wait", action="store_true", help="return at once")
        if command in ("status", "list"):
            sub.add_argument("--json", action="store_true")
        if command == "logs":
            sub.add_argument("-f", "--follow", action="store_true")
        if command == "down":
            sub.add_argument("--now", action="store_true", help="pull the plug")
        if command == "fetch":
            sub.add_argument("packages", nargs="+", metavar="PACKAGE")
        if command == "exec":
            sub.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    # Without a help text, --help does not list it: only this program calls it.
    keep = commands.add_parser("keep")
    keep.add_argument("--name", required=True)
    return top


def show(machine: Machine, as_json: bool) -> None:
    status = machine.status()
    if as_json:
        print(json.dumps(status))
        return
    shown = [f"{status['name']}: {status['state']}"]
    if status["address"]:
        shown.append(f"at {status['address']}")
    shown.append(f"booted {status['boots']} times")
    print(", ".join(shown))


def main(arguments: list[str]) -> int:
    kinds: dict[str, type[Machine]] = {"device": Device, "board": Board}
    kind = kinds[arguments[0]]
    common.program = kind.kind
    options = parser(arguments[0]).parse_args(arguments[1:])
    machine = kind(options.name)
    if options.command in ("up", "run", "build", "fetch"):
        # Also where a shell that started us in the background has them ignored.
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, interrupt)
        # A closed terminal is an end as well, but for nohup.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, interrupt)
    match options.command:
        case "up":
            machine.up(options.board, wait=not options.no_wait)
        case "run":
            return foreground(machine, options.board)
        case "build":
            machine.build(options.board)
        case "fetch":
            print(layers.fetched(options.packages, layers.base()))
        case "status":
            show(machine, options.json)
        case "exec":
            words = options.words[1:] if options.words[:1] == ["--"] else options.words
            if not words:
                raise Failure(f"usage: scripts/{kind.kind} exec [--name NAME] -- COMMAND...", 64)
            machine.execute(words)
        case "logs":
            machine.logs(options.follow)
        case "down":
            machine.down(options.now)
        case "reset":
            machine.reset()
        case "list":
            if options.json:
                print(json.dumps([each.status() for each in kind.all()]))
            else:
                for each in kind.all():
                    show(each, as_json=False)
        case "keep":
            return machine.keep()
    return 0


def interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def foreground(machine: Machine, board: str | None) -> int:
    """Up until Ctrl-C, with what to try and then the supervisor's log on the terminal."""
    try:
        machine.up(board)
        machine.settle()
        print(machine.help(), flush=True)
        threading.Thread(target=machine.follow, daemon=True).start()
        while machine.is_kept():
            time.sleep(0.2)
        say(f"{machine.name} has powered itself off")
    except KeyboardInterrupt:
        print(file=sys.stderr)
        say(f"ending {machine.name}; Ctrl-C again pulls the plug")
    finally:
        end(machine)
    return 0


def end(machine: Machine) -> None:
    """Powers it off; at once when somebody is impatient."""
    try:
        machine.down()
    except KeyboardInterrupt:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_IGN)
        machine.down(now=True)
    named = "" if machine.name == machine.kind else f" --name {machine.name}"
    say(f"{machine.name} is off; nothing of it runs. Its disk stays until scripts/{machine.kind} reset{named}")


try:
    sys.exit(main(sys.argv[1:]))
except Failure as failure:
    say(str(failure))
    sys.exit(failure.status)
except KeyboardInterrupt:
    sys.exit(130)
except BrokenPipeError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(141)
