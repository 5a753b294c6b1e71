"""selenium drives Chromium by WebDriver BiDi: navigate, run scripts, hear the console."""

from __future__ import annotations

import threading
from typing import Any

from selenium import webdriver  # pyright: ignore[reportMissingImports]
from selenium.webdriver.chrome.service import Service  # pyright: ignore[reportMissingImports]
from talking import PATIENCE, arguments, say

options = webdriver.ChromeOptions()
options.binary_location = arguments["browser"]
for flag in arguments["flags"]:
    options.add_argument(flag)
options.enable_bidi = True
driver = webdriver.Chrome(options=options, service=Service(arguments["driver"]))
try:
    logged: list[Any] = []
    heard = threading.Event()

    def hear(entry: Any) -> None:
        logged.append(entry)
        heard.set()

    driver.script.add_console_message_handler(hear)
    context = driver.current_window_handle
    driver.browsing_context.navigate(context=context, url=arguments["url"], wait="complete")
    assert heard.wait(PATIENCE)
    say([entry.text for entry in logged])
    say(driver.title)
    result = driver.script.execute("(a, b) => a + b", 2, 40)
    say(result["value"])
    picture = driver.browsing_context.capture_screenshot(context=context)
    say([picture[:5], len(picture) > 1000])
    many = driver.script.execute("() => 'x'.repeat(3000000)")
    say(len(many["value"]))
finally:
    driver.quit()
say("quit")
