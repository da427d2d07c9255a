"""Completion in the shells themselves: what a user types, with the tab key, and what is on his line then."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import subprocess
import termios
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from harness import target
from harness.supervisor import Supervisor, binary

SHELLS = ["bash", "zsh", "fish"]


def script_of(shell: str) -> str:
    done = subprocess.run([binary("superctl"), "completion", shell], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Typing:
    """A shell on a terminal of its own."""

    def __init__(self, shell: str, folder: Path, control: Path, by_name: bool = False) -> None:
        """`by_name`: zsh finds the script as the package installs it, otherwise the shell is told to read it."""
        self.script = folder / f"completion.{shell}"
        self.script.write_text(script_of(shell))
        (folder / "wanted-file").touch()
        environment = {
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TERM": "xterm",
            "PS1": "ready> ",
            "SUPERVISOR_CONTROL_SOCKET": str(control),
        }
        (folder / "superctl").symlink_to(binary("superctl"))
        commands = {
            "bash": ["bash", "--norc", "--noprofile", "-i"],
            "zsh": ["zsh", "-f", "-i"],
        }
        self.unread = ""
        self.count = 0
        self.terminal, end = pty.openpty()
        self.popen = subprocess.Popen(
            commands[shell],
            cwd=folder,
            env=environment,
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(end)
        self.read_until("ready> ")
        if shell == "zsh":
            if by_name:
                functions = folder / "functions"
                functions.mkdir()
                shutil.copy(self.script, functions / "_superctl")
                self.send(f"fpath=({functions} $fpath)\n")
                self.read_until("ready> ")
            self.send("autoload -U compinit; compinit -u -D; unsetopt beep; zstyle ':completion:*' list-prompt ''\n")
            self.read_until("ready> ")
        else:
            settings = ("bell-style none", "show-all-if-ambiguous on", "enable-bracketed-paste off")
            self.send("; ".join(f"bind 'set {setting}'" for setting in settings) + "\n")
            self.read_until("ready> ")
        self.send(("" if by_name else f"source {self.script}; ") + "echo loa''ded\n")
        self.read_until("loaded")
        self.read_until("ready> ")

    def send(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def read_until(self, text: str, deadline: float = 15) -> str:
        """What is shown up to the text, and with it."""
        end = time.monotonic() + deadline
        while text not in self.unread:
            assert time.monotonic() < end, f"no {text!r} in {self.unread!r}"
            if select.select([self.terminal], [], [], 0.2)[0]:
                self.unread += os.read(self.terminal, 65536).decode(errors="replace")
                # Colours and movements; what is cut in two here is put together with what follows.
                self.unread = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]", "", self.unread)
        shown, found, self.unread = self.unread.partition(text)
        return shown + found

    def completes(self, typed: str, *wanted: str) -> None:
        """The wanted words appear once tab is pressed after what was typed."""
        self.send(typed + "\t")
        shown = self.read_until(wanted[0])
        for word in wanted[1:]:
            if word not in shown:
                shown += self.read_until(word)
        self.count += 1
        self.send(f"\x15echo e''nd{self.count}\n")
        self.read_until(f"end{self.count}\r\n")
        self.read_until("ready> ")

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait()
        os.close(self.terminal)


@pytest.fixture
def typing(tmp_path: Path) -> Iterator[Callable[..., Typing]]:
    made: list[Typing] = []

    def make(shell: str, control: Path, by_name: bool = False) -> Typing:
        if not shutil.which(shell):
            pytest.skip(f"no {shell} here")
        made.append(Typing(shell, tmp_path, control, by_name))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_line_is_completed(device: Supervisor, typing: Callable[..., Typing], shell: str) -> None:
    line = typing(shell, device.control)
    line.completes("superctl resta", "restart ")
    line.completes("superctl re", "reboot", "reload", "restart")
    line.completes("superctl restart --fo", "--force ")
    line.completes(f"superctl restart {str(target.APP)[:3]}", f"{target.APP} ")
    line.completes("superctl restart de", "demo ")
    line.completes(f"superctl logs demo {target.SERVICE[:2]}", f"{target.SERVICE} ")
    line.completes(f"superctl logs -n 5 demo {target.SERVICE[:2]}", f"{target.SERVICE} ")
    line.completes("superctl call --record wanted", "wanted-file ")
    line.completes("superctl help pow", "power-off ")
    line.completes("superctl completion z", "zsh ")


def test_zsh_finds_the_script_by_its_name(supervisor: Supervisor, typing: Callable[..., Typing]) -> None:
    line = typing("zsh", supervisor.control, by_name=True)
    line.completes("superctl resta", "restart ")
    line.completes("superctl restart --fo", "--force ")


def test_fish_offers_words(device: Supervisor, tmp_path: Path) -> None:
    if not shutil.which("fish"):
        pytest.skip("no fish here")
    script = tmp_path / "superctl.fish"
    script.write_text(script_of("fish"))
    (tmp_path / "superctl").symlink_to(binary("superctl"))

    def offered(typed: str) -> dict[str, str]:
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {script}; complete -C '{typed}'"],
            env={
                **os.environ,
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "SUPERVISOR_CONTROL_SOCKET": str(device.control),
            },
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0 and not done.stderr, done.stderr
        return dict((line.split("\t", 1) + [""])[:2] for line in done.stdout.splitlines())

    assert offered("superctl resta") == {"restart": "Recreate an application's containers and start them."}
    assert set(offered("superctl re")) == {"reboot", "reload", "restart"}
    assert "--force" in offered("superctl restart --fo")
    assert "--force" not in offered("superctl status --fo")
    assert offered("superctl restart 1") == {str(target.APP): "demo"}
    assert offered("superctl restart de") == {"demo": f"application {target.APP}"}
    assert offered(f"superctl logs -n 5 demo {target.SERVICE[:2]}") == {target.SERVICE: "running"}
    assert set(offered("superctl completion z")) == {"zsh"}
    assert offered("superctl key ") == {}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_accepted_without_a_word(tmp_path: Path, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    file = tmp_path / "script"
    file.write_text(script_of(shell))
    done = subprocess.run([shell, "-n", file], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_a_supervisor_nothing_is_offered(supervisor: Supervisor, typing: Callable[..., Typing]) -> None:
    line = typing("bash", supervisor.control)
    line.send("superctl restart d\t")
    time.sleep(1)
    line.send("\x15echo still\x20there\n")
    assert "not reachable" not in line.read_until("still there")
