"""Takes the pictures of the documents, of the UI that `make demo` serves.

Needs playwright and a chromium, which nothing else here does. The overview is what `orgdata status --html` writes:

    make demo                                                              # in one terminal
    (cd .orgdata-demo && orgdata status --html status.html)                # in another
    uv run --with playwright docs/screenshots.py [http://127.0.0.1:3000]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

PICTURES = {  # name: the page, and a text that is there when all the rest is
    "asset": ("/assets/institution_analytics/users?view=overview", "At 15 minutes past the hour, every 4 hours"),
    "checks": ("/assets/octolis/contacts?view=checks&checkDetail=count", "Timestamp"),
    "automation": ("/automation", "catch_up"),
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main(url: str = "http://127.0.0.1:3000", overview: str = ".orgdata-demo/status.html") -> None:
    """Writes docs/<name>.png and docs/pictures/overview-<scheme>.png."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        for name, (path, text) in PICTURES.items():
            page.goto(url + path)
            page.get_by_text(text).first.wait_for(timeout=120_000)
            page.wait_for_timeout(15_000)  # figures come after the words
            page.screenshot(path=Path(__file__).with_name(f"{name}.png"))
        for scheme in SCHEMES:
            page = browser.new_page(viewport={"width": 1400, "height": 760}, color_scheme=scheme)
            page.goto(Path(overview).absolute().as_uri())
            page.screenshot(path=Path(__file__).parent / "pictures" / f"overview-{scheme}.png")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
