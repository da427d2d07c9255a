"""led.blink on a tree of files that looks like the LED class of sysfs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import threading
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from harness.plugin import Plugin, PluginFailure
from harness.processes import run
from harness.supervisor import binary
from harness.waiting import stays, wait_until


class LED:
    """Its brightness is watched all the time."""

    def __init__(self, root: Path) -> None:
        self.path = root / "led0"
        self.former = root / "state" / "former"
        self.path.mkdir()
        (self.path / "brightness").write_text("7\n")
        (self.path / "max_brightness").write_text("200\n")
        (self.path / "trigger").write_text("none timer [heartbeat] mmc0\n")
        #: (when, brightness), one for each change
        self.seen: list[tuple[float, str]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            value = self["brightness"]
            # A plain file is empty for a moment, which an attribute never is.
            if value and (not self.seen or self.seen[-1][1] != value):
                self.seen.append((time.monotonic(), value))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def __getitem__(self, name: str) -> str:
        try:
            return (self.path / name).read_text().strip()
        except OSError:
            return ""

    @property
    def settings(self) -> dict[str, str]:
        return {"Path": str(self.path), "StateFile": str(self.former)}

    @property
    def is_as_it_was(self) -> bool:
        # A plain file does not put the brackets in again.
        return self["brightness"] == "7" and self["trigger"] == "heartbeat" and not self.former.exists()


@pytest.fixture
def led(tmp_path: Path) -> Iterator[LED]:
    led = LED(tmp_path)
    yield led
    led.stop()


@pytest.mark.alone
def test_a_led_blinks_and_is_as_it_was(led: LED) -> None:
    with Plugin("led", led.settings) as plugin:
        assert plugin.about["operations"] == [{"name": "led.blink", "idempotent": True}]
        begun = time.monotonic()
        assert plugin.call("led.blink", {"durationMs": 1000}) == {}
        assert time.monotonic() - begun < 0.15
        assert led["brightness"] == "200"
        assert led.former.exists()
        wait_until(lambda: led.is_as_it_was, 3, "the LED is as it was")
        assert 0.9 < time.monotonic() - begun < 1.3
        assert [value for _, value in led.seen] == ["7", "200", "0", "200", "0", "200", "7"]
        assert plugin.close() == 0


def test_fifteen_seconds_at_two_and_a_half_hertz(led: LED, measured: Callable[[str], None]) -> None:
    with Plugin("led", led.settings) as plugin:
        plugin.call("led.blink", {"durationMs": 15000})
        wait_until(lambda: led.is_as_it_was, 20, "the LED is as it was")
    on = [when for when, value in led.seen if value == "200"]
    assert 34 <= len(on) <= 41
    assert (on[-1] - on[0]) / (len(on) - 1) == pytest.approx(0.4, rel=0.1)
    measured(f"led.blink for 15 s: on {len(on)} times, once every {(on[-1] - on[0]) / (len(on) - 1) * 1000:.1f} ms")


@pytest.mark.alone
def test_a_second_blink_makes_it_end_later(led: LED) -> None:
    with Plugin("led", led.settings) as plugin:
        begun = time.monotonic()
        plugin.call("led.blink", {"durationMs": 800})
        time.sleep(0.5)
        plugin.call("led.blink", {"durationMs": 1000})
        plugin.call("led.blink", {"durationMs": 1})
        wait_until(lambda: led.is_as_it_was, 3, "the LED is as it was")
        assert 1.4 < time.monotonic() - begun < 1.9


@pytest.mark.parametrize("how", ["input", "term", "shutdown"])
def test_an_end_puts_it_back_at_once(led: LED, how: str) -> None:
    with Plugin("led", led.settings) as plugin:
        plugin.call("led.blink", {"durationMs": 600000})
        wait_until(lambda: len(led.seen) > 3, 3, "it blinks")
        if how == "input":
            plugin.end_input()
        elif how == "term":
            plugin.send_signal(signal.SIGTERM)
        else:
            assert plugin.call("plugin.shutdown") == {}
        assert plugin.wait(2) == 0
    assert led.is_as_it_was


def test_a_killed_one_is_tidied_up_by_the_next_start(led: LED) -> None:
    with Plugin("led", led.settings) as plugin:
        plugin.call("led.blink", {"durationMs": 600000})
        plugin.kill()
    assert not led.is_as_it_was
    with Plugin("led", led.settings) as plugin:
        assert led.is_as_it_was
        plugin.logged("which had been left blinking")


@pytest.mark.parametrize("how", ["argument", "RUNTIME_DIRECTORY"])
def test_a_killed_one_is_tidied_up_by_the_units_exec_stop_post(led: LED, how: str) -> None:
    environment = {"RUNTIME_DIRECTORY": str(led.former.parent)}
    settings = dict(led.settings)
    if how == "RUNTIME_DIRECTORY":
        del settings["StateFile"]
    with Plugin("led", settings, environment) as plugin:
        plugin.call("led.blink", {"durationMs": 600000})
        plugin.kill()
    assert led["trigger"] == "none"
    restore = [binary("supervisor-plugin-led"), "--restore"]
    argument = [led.former] if how == "argument" else []
    for _ in range(2):
        done = run([*restore, *argument], env={**os.environ, **({} if argument else environment)})
        assert done.returncode == 0, done.stderr
        assert led.is_as_it_was


def test_restoring_says_why_it_failed(led: LED) -> None:
    with Plugin("led", led.settings) as plugin:
        plugin.call("led.blink", {"durationMs": 600000})
        plugin.kill()
    (led.path / "brightness").unlink()
    (led.path / "brightness").mkdir()
    done = run([binary("supervisor-plugin-led"), "--restore", led.former])
    assert done.returncode == 1
    assert "cannot restore" in done.stderr and led.former.exists()


def test_the_brightness_goes_back_before_the_trigger_in_single_writes(led: LED, tmp_path: Path) -> None:
    if not shutil.which("strace"):
        pytest.skip("no strace")
    trace = tmp_path / "trace"
    wrap = ["strace", "-f", "-qq", "-y", "-s", "64", "-e", "trace=write,openat", "-o", trace]
    with Plugin("led", led.settings, wrap=wrap) as plugin:
        plugin.call("led.blink", {"durationMs": 300})
        wait_until(lambda: led.is_as_it_was, 5, "the LED is as it was")
        assert plugin.close() == 0
    text = trace.read_text()
    writes = re.findall(rf'write\(\d+<{re.escape(str(led.path))}/(\w+)>, "(.*?)\\n", (\d+)\) = (\d+)', text)
    assert [(name, value) for name, value, _, _ in writes] == [
        ("trigger", "none"), ("brightness", "200"), ("brightness", "0"), ("brightness", "7"), ("trigger", "heartbeat"),
    ]
    assert all(length == done for _, _, length, done in writes)
    opens = re.findall(rf'openat\(.*"{re.escape(str(led.path))}/\w+", (O_WRONLY\S*)\)', text)
    assert len(opens) == len(writes) and all("O_CREAT" not in flags for flags in opens)


@pytest.mark.parametrize("path", ["", "none"])
def test_a_board_without_a_led(path: str) -> None:
    with Plugin("led", {"Path": path}) as plugin:
        assert plugin.call("led.blink", {"durationMs": 500}) == {"supported": False}
        assert plugin.call("plugin.ping")["ready"] is True


def test_a_led_that_is_not_there(tmp_path: Path) -> None:
    with Plugin("led", {"Path": str(tmp_path / "nothing")}) as plugin:
        with pytest.raises(PluginFailure, match="there is no LED at") as failure:
            plugin.call("led.blink", {"durationMs": 500})
        assert failure.value.reason == "unavailable"
        assert plugin.call("plugin.ping")["ready"] is False


def test_a_led_that_vanishes_while_it_blinks(led: LED) -> None:
    with Plugin("led", led.settings) as plugin:
        plugin.call("led.blink", {"durationMs": 600000})
        led.path.rename(led.path.with_name("away"))
        plugin.logged("the LED stops blinking")
        wait_until(lambda: not led.former.exists(), 2, "nothing is left to put back")
        with pytest.raises(PluginFailure):
            plugin.call("led.blink", {"durationMs": 500})
        led.path.with_name("away").rename(led.path)
        assert plugin.call("led.blink", {"durationMs": 500}) == {}


def test_a_user_who_may_not_write_is_told_so(led: LED) -> None:
    for directory in [led.path, *led.path.parents][:5]:
        if directory != Path("/tmp"):
            os.chmod(directory, stat.S_IMODE(directory.stat().st_mode) | 0o055)
    with Plugin("led", led.settings, wrap=["setpriv", "--reuid=4711", "--clear-groups", "--"]) as plugin:
        with pytest.raises(PluginFailure, match="the LED may not be written") as failure:
            plugin.call("led.blink", {"durationMs": 500})
        assert failure.value.reason == "permission-denied"
        assert "Permission denied" in (failure.value.detail or "")
        assert plugin.call("plugin.ping")["ready"] is False
    stays(lambda: led["brightness"] == "7" and "[heartbeat]" in led["trigger"], 0.3, "the LED is as it was")


def test_a_state_file_that_cannot_be_written_is_told_and_no_more(led: LED) -> None:
    with Plugin("led", {**led.settings, "StateFile": "/proc/nothing/former"}) as plugin:
        assert plugin.call("led.blink", {"durationMs": 300}) == {}
        plugin.logged("cannot save the state of the LED")
        wait_until(lambda: led["brightness"] == "7" and led["trigger"] == "heartbeat", 3, "the LED is as it was")


@pytest.mark.parametrize("duration", [None, 0, -1, 600_001, 1.5, "500", True, 1 << 70])
def test_durations_that_make_no_sense_are_refused(led: LED, duration: object) -> None:
    with Plugin("led", led.settings) as plugin:
        with pytest.raises(PluginFailure, match="durationMs"):
            plugin.call("led.blink", {} if duration is None else {"durationMs": duration})
    assert led["brightness"] == "7"


@pytest.mark.parametrize("name", ["Path", "StateFile"])
def test_a_relative_path_is_refused(name: str) -> None:
    with pytest.raises(PluginFailure, match=name):
        Plugin("led", {name: "relative"})
