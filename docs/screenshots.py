"""Takes the pictures that README shows, of the UI that `make demo` serves.

Needs playwright and a chromium, which nothing else here does:

    make demo                                                          # in one terminal
    uv run --with playwright docs/screenshots.py [http://127.0.0.1:3000]   # in another
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = {  # name: the page, and a text that is there when all the rest is
    "asset": ("/assets/institution_analytics/users?view=overview", "At 15 minutes past the hour, every 4 hours"),
    "checks": ("/assets/octolis/contacts?view=checks&checkDetail=count", "Timestamp"),
    "automation": ("/automation", "catch_up"),
}


def main(url: str = "http://127.0.0.1:3000") -> None:
    """Writes docs/<name>.png."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        for name, (path, text) in PICTURES.items():
            page.goto(url + path)
            page.get_by_text(text).first.wait_for(timeout=120_000)
            page.wait_for_timeout(3_000)  # figures come after the words
            page.screenshot(path=Path(__file__).with_name(f"{name}.png"))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
