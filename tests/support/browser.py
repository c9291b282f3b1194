"""A headless Chromium that opens pages from files and records what it asks for."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Selenium must neither download a driver nor report its use.
os.environ |= {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # which root cannot have
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")


class Browser:
    """A browser with one page.

    Args:
        driver: Selenium's driver of Chromium.
    """

    def __init__(self, driver):
        self.driver = driver

    def open(self, path: Path, *, width: int = 1280, scripts: bool = True) -> None:
        """Open a file in a window of the given width, with or without JavaScript."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        run = self.driver.execute_cdp_cmd
        run("Emulation.setDeviceMetricsOverride", size)
        run("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self.driver.get(path.as_uri())

    def script(self, code: str):
        """Return what a piece of JavaScript returns."""
        return self.driver.execute_script(code)

    def find(self, selector: str) -> list:
        """List the elements of a CSS selector."""
        return self.driver.find_elements("css selector", selector)

    def visible(self, selector: str) -> list[str]:
        """List the texts of the visible elements of a CSS selector."""
        return [each.text for each in self.find(selector) if each.is_displayed()]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return self.script(
            "return document.documentElement.scrollWidth - window.innerWidth"
        )

    def broken_pictures(self) -> list[str]:
        """Load all pictures, lazy ones too, and list those that fail."""
        return self.driver.execute_async_script(
            """const done = arguments[0];
            const pictures = [...document.images];
            pictures.forEach((each) => { each.loading = "eager"; });
            Promise.allSettled(pictures.map((each) => each.decode())).then(
              () => done(pictures.filter((each) => !each.naturalWidth)
                .map((each) => each.src)));"""
        )

    def console(self) -> list[str]:
        """List the messages on the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """List the addresses that were asked for since the last call."""
        entries = self.driver.get_log("performance")
        events = [json.loads(entry["message"])["message"] for entry in entries]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]


@contextmanager
def start_browser() -> Iterator[Browser]:
    """Start Chromium, and end it with the block."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
