"""How large the page of an audit is, and how long a browser takes to open it.

Nets of 10, 100 and 1,000 layers, and one of 1,000 that all change the size, so that each has a box
in the drawing. Chromium opens each page RUNS times through its chromedriver; its own clocks tell
when the page was loaded and its first content painted (navigation and paint timing), and how much
processor time its renderer spent (Performance.getMetrics, thread ticks). Usage:

    python -m benchmarks.audit_page [--pictures FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.converters.audit.nets import HEAD, conv, deconv, merge, pool
from tests.service.page.browser import Browser, browsing

RUNS: Final = 7


def stages(layers: int) -> str:
    """A U-Net of four levels with as many convolutions as it takes."""
    text, current, count = HEAD, "data", max((layers - 17) // 9, 0)
    skips = []
    for level in range(9):
        for index in range(count):
            name = f"conv{level}_{index}"
            text += conv(name, current)
            current = name
        if level < 4:
            skips.append(current)
            text += pool(f"pool{level}", current)
            current = f"pool{level}"
        elif level < 8:
            text += deconv(f"up{level}", current, "kernel_size: 2 stride: 2")
            text += merge(f"join{level}", f"{skips.pop()} up{level}", "Concat")
            current = f"join{level}"
    return text + conv("score", current, "kernel_size: 1")


def short(layers: int) -> str:
    """A net of one level."""
    text, current = HEAD, "data"
    for index in range(layers - 4):
        text += conv(f"conv{index}", current)
        current = f"conv{index}"
    text += pool("pool", current) + deconv("up", "pool", "kernel_size: 2 stride: 2")
    return text + merge("join", f"{current} up", "Concat") + conv("score", "join")


def ups_and_downs(layers: int) -> str:
    """Each layer makes images smaller or larger."""
    text, current = HEAD, "data"
    for index in range(layers // 2):
        text += pool(f"down{index}", current)
        text += deconv(f"up{index}", f"down{index}", "kernel_size: 2 stride: 2")
        current = f"up{index}"
    return text


NETS: Final[Mapping[str, tuple[Callable[[int], str], int]]] = {
    "10 layers": (short, 10),
    "100 layers": (stages, 100),
    "1,000 layers": (stages, 1000),
    "1,000 layers that change sizes": (ups_and_downs, 1000),
}


def page(text: str, folder: Path) -> Path:
    from upconv.service.reports.html.page import audit_page
    from upconv.service.work.auditing import AuditRequest, audit

    net, found = folder / "net.prototxt", folder / "net.html"
    net.write_text(text, encoding="utf-8")
    result = audit(AuditRequest(str(net), findings=True))
    found.write_text(audit_page(result), encoding="utf-8")
    return found


def opened(browser: Browser, path: Path, blank: Path) -> tuple[float, float, float]:
    """(milliseconds to the load event, to the first content, of the renderer's main thread)."""
    browser.go(blank.as_uri())
    command(browser, "Performance.disable")
    command(browser, "Performance.enable", timeDomain="threadTicks")
    before = spent(browser)
    browser.go(path.as_uri())
    loaded = browser.run(
        "const n = performance.getEntriesByType('navigation')[0];"
        "const p = performance.getEntriesByName('first-contentful-paint')[0];"
        "return [n.loadEventEnd, p ? p.startTime : 0]"
    )
    return loaded[0], loaded[1], 1000 * (spent(browser) - before)


def spent(browser: Browser) -> float:
    metrics = command(browser, "Performance.getMetrics")["metrics"]
    return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


def command(browser: Browser, name: str, **params: Any) -> Any:
    return browser.command("POST", "/goog/cdp/execute", {"cmd": name, "params": params})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="where a picture of each page goes")
    pictures = parser.parse_args().pictures
    print("| net | kB | loaded | first content | processor time |\n|" + " --- |" * 5)
    with tempfile.TemporaryDirectory() as name, browsing(Path(name)) as browser:
        blank = Path(name) / "blank.html"
        blank.write_text("<!doctype html><title>blank</title>", encoding="utf-8")
        for title, (make, layers) in NETS.items():
            path = page(make(layers), Path(name))
            times = zip(*(opened(browser, path, blank) for _ in range(RUNS)), strict=True)
            medians = " | ".join(f"{median(one):.0f} ms" for one in times)
            print(f"| {title} | {path.stat().st_size / 1000:.0f} | {medians} |", flush=True)
            if pictures is not None:
                browser.picture(pictures / f"{layers}-{make.__name__}.png")


if __name__ == "__main__":
    main()
