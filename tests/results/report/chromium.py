"""Headless Chromium on files of this machine, as a reader's hands and eyes."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = (
    "--headless",
    "--no-sandbox",  # for root, as in most containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    # The page needs no network, and Chromium itself shall ask for none.
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
MIDDLE = """arguments[0].scrollIntoView({block: 'center'});
const { x, y } = arguments[0].getBoundingClientRect();
return [x, y, scrollY];"""
WIDE, NARROW = (1400, 900), (390, 844)


def missing() -> str | None:
    """Why there is no browser here, or None."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else None


class Reader:
    """One page in one window. Elements are named by CSS selectors."""

    def __init__(self, profile: Path) -> None:
        options = ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.window(*WIDE)

    def window(self, width: int, height: int, dark: bool = False) -> None:
        """Set the size and the colour scheme; the page that is open follows."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},  # no waiting for scrolling
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    def open(self, page: Path) -> None:
        """Open a page and wait until its script has run."""
        self.driver.get(page.resolve().as_uri())
        self.wait("document.documentElement.dataset.ready === 'yes'")

    def draw_all(self) -> None:
        """Scroll by every section, as drawings wait for that."""
        for section in ("pictures", "curves", "tradeoff", "importance", "tree"):
            self.run(f"document.getElementById('{section}').scrollIntoView()")
            if section == "curves":
                self.wait("document.querySelector('#curves canvas')?.width > 100")
        self.wait("document.querySelector('.tree')")

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a JavaScript body that returns one."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Until a JavaScript expression is true."""
        WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(
            lambda driver: driver.execute_script(f"return Boolean({condition})"), condition
        )

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The first that is there."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.one(selector).text

    def attribute(self, selector: str, name: str) -> str:
        """Of the first that is there; "" where it has none. Addresses are whole."""
        return self.one(selector).get_attribute(name) or ""

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.all(selector)]

    def bring(self, element: WebElement) -> None:
        """Scroll to an element, and wait until what is drawn on the way moves it no more."""
        where: Any = None
        while (now := self.run(MIDDLE, element)) != where:
            where = now
            time.sleep(0.1)

    def click(self, selector: str, position: int = 0) -> None:
        element = self.all(selector)[position]
        self.bring(element)
        element.click()

    def hover(self, element: WebElement, dx: int = 0, dy: int = 0) -> None:
        """Move the pointer to an element, that many pixels from its middle."""
        self.bring(element)
        ActionChains(self.driver).move_to_element_with_offset(element, dx, dy).perform()

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def fill(self, selector: str, text: str) -> None:
        """Type into an input, in place of what is in it, and wait for what that does."""
        element = self.one(selector)
        for keys in (Keys.CONTROL + "a", Keys.DELETE, text):
            element.send_keys(keys)  # apart: a call lets go of what it held
        self.wait("!document.querySelector('[aria-busy]')")

    def choose(self, label: str, option: str) -> None:
        """Choose in the list whose label begins with these words."""
        path = f"//label[starts-with(normalize-space(.), '{label}')]/select"
        Select(self.driver.find_element(By.XPATH, path)).select_by_visible_text(option)

    def options(self, label: str) -> list[str]:
        path = f"//label[starts-with(normalize-space(.), '{label}')]/select"
        chosen = Select(self.driver.find_element(By.XPATH, path))
        return [option.text for option in chosen.options]

    def complaints(self) -> list[str]:
        """What the page's console has said since it was last asked, but for advice on drawing."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["source"] != "rendering"]

    def close(self) -> None:
        self.driver.quit()
