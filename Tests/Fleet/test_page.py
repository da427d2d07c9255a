"""The page in a browser, with a stand-in for the service."""

from __future__ import annotations

import importlib.util
import os
import shlex
from pathlib import Path
from typing import Iterator

import pytest
from page_stub import HOSTILE, LOCKED, TOKEN, Stub

pytest.importorskip("selenium")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
pytestmark = pytest.mark.skipif(not (os.path.exists(CHROMIUM) and os.path.exists(DRIVER)), reason="no chromium")


class Browser:
    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for option in ("--headless=new", "--no-sandbox", "--disable-background-networking"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        self.driver.set_window_size(1280, 900)

    def wait(self, condition):
        return WebDriverWait(self.driver, 10, 0.05).until(lambda _: condition())

    def all(self, selector: str):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.driver.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def press(self, text: str, inside: str = "main") -> None:
        path = f"//{inside}//button[normalize-space()='{text}']"
        self.wait(lambda: [one for one in self.driver.find_elements(By.XPATH, path) if one.is_enabled()])
        self.driver.find_element(By.XPATH, path).click()

    def log_in(self, stub: Stub, token: str = TOKEN, path: str = "/") -> None:
        self.driver.get("about:blank")
        self.driver.get(stub.url + path)
        self.wait(lambda: self.all("#token"))[0].send_keys(token, Keys.ENTER)

    def result(self, start: str) -> None:
        self.wait(lambda: self.text("#command-list li .result").startswith(start))

    def curl(self) -> list[str]:
        return shlex.split(self.text("#command-list li pre"))

    def axe(self) -> list[str]:
        package = importlib.util.find_spec("axe_playwright_python")
        if package is None or not package.submodule_search_locations:
            pytest.skip("no axe")
        file = next(Path(package.submodule_search_locations[0]).rglob("axe.min.js"))
        self.driver.execute_script(file.read_text())
        found = self.driver.execute_async_script("var c=arguments[arguments.length-1];axe.run().then(c)")
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    made = Browser()
    yield made
    made.driver.quit()


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()
    yield made
    made.shutdown()


@pytest.fixture
def browser(chromium: Browser, stub: Stub, request: pytest.FixtureRequest) -> Iterator[Browser]:
    chromium.driver.get("about:blank")
    chromium.driver.get_log("browser"), chromium.driver.get_log("performance")
    chromium.driver.set_window_size(1280, 900)
    yield chromium
    import json

    for entry in chromium.driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            assert url.startswith((stub.url + "/", "about:")) and TOKEN not in url
    messages = chromium.driver.get_log("browser")
    if "wrong_token" not in request.node.name:
        assert messages == [one for one in messages if "423 (Locked)" in one["message"]]
    assert chromium.driver.get_cookies() == []


def rows(browser: Browser) -> int:
    return len(browser.all("tbody tr"))


def test_wrong_token(browser: Browser, stub: Stub) -> None:
    browser.log_in(stub, "wrong")
    browser.wait(lambda: "not valid" in browser.text("[role=alert]"))
    assert rows(browser) == 0


def test_list(browser: Browser, stub: Stub) -> None:
    browser.log_in(stub)
    browser.wait(lambda: rows(browser) == 50)
    assert browser.text("tbody tr a") == HOSTILE
    assert not browser.all("main script, main img")
    browser.wait(lambda: "locked by uid 0 since" in browser.text(f"tr[data-uuid='{LOCKED}']"))
    browser.wait(lambda: "offline" in browser.text(f"tr[data-uuid='{3:032x}']"))
    browser.press("Show more")
    # Events of commands cause no further question.
    browser.wait(lambda: stub.events >= 6)
    assert stub.questions.count(LOCKED) == 1
    browser.wait(lambda: rows(browser) == 100)
    assert browser.axe() == []
    Select(browser.all("select")[1]).select_by_value("offline")
    browser.wait(lambda: rows(browser) == 1)
    assert "kiosk-002" in browser.text("tbody tr")


def test_find(browser: Browser, stub: Stub) -> None:
    browser.log_in(stub)
    browser.wait(lambda: rows(browser) == 50)
    Select(browser.all("select")[0]).select_by_value("7")
    search = browser.all("input[type=search]")[0]
    browser.wait(search.is_enabled)
    search.send_keys("kiosk-11")
    browser.wait(lambda: rows(browser) == 10)


def test_identify_and_restart_of_a_hostile_device(browser: Browser, stub: Stub) -> None:
    browser.log_in(stub, path=f"/#/device/{0:032x}")
    browser.wait(lambda: browser.text("h1") == HOSTILE)
    assert HOSTILE in browser.text("main ul")
    browser.press("Identify")
    browser.result("Done, 200")
    assert stub.commands == [("/v1/blink", {"uuid": "0" * 32})]
    browser.press("Restart")
    browser.wait(lambda: len(browser.all("#command-list li")) == 2)
    browser.result("Done, 200: OK")
    assert stub.commands[1] == ("/v1/restart", {"uuid": "0" * 32, "data": {"appId": 7}})
    assert "Authorization: Bearer $TOKEN" in browser.curl() and TOKEN not in browser.text("body")
    assert browser.axe() == []


def test_locked(browser: Browser, stub: Stub) -> None:
    browser.log_in(stub, path=f"/#/device/{LOCKED}")
    browser.press("Restart")
    browser.wait(lambda: "locked by uid 0 since" in browser.text("dialog"))
    assert browser.axe() == []
    browser.press("Cancel", "dialog")
    assert len(stub.commands) == 1
    browser.press("Restart")
    browser.wait(lambda: browser.all("dialog"))
    browser.press("Force", "dialog")
    browser.result("Done, 200")
    assert stub.commands[-1] == ("/v1/restart", {"uuid": LOCKED, "data": {"appId": 7, "force": True}})


def test_host_name(browser: Browser, stub: Stub) -> None:
    browser.log_in(stub, path=f"/#/device/{4:032x}")
    browser.wait(lambda: browser.text("h1") == "kiosk-004")
    browser.press("Read from the device")
    name = browser.all("form input")[0]
    browser.wait(lambda: name.get_property("value") == "old-name")
    name.clear()
    name.send_keys("it's $(new)")
    browser.press("Save")
    browser.wait(lambda: stub.host_name == "it's $(new)")
    browser.result("Done, 200")
    data = '{"uuid":"%032x","method":"PATCH","data":{"network":{"hostname":"it\'s $(new)"}}}' % 4
    assert data in browser.curl()


@pytest.mark.parametrize("path", ["/", f"/#/device/{LOCKED}"])
def test_narrow_and_dark(browser: Browser, stub: Stub, path: str) -> None:
    browser.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    browser.driver.set_window_size(360, 800)
    browser.log_in(stub, path=path)
    browser.wait(lambda: "locked by uid 0" in browser.text("main"))
    assert browser.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.axe() == []
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
