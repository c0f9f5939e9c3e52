"""Items that would do harm where they were taken for anything but text."""

from __future__ import annotations

import random
from typing import Any

SEEDS = [
    "<script>window.hit = 1</script>",
    '<img src=x onerror="window.hit = 1">',
    "</script><script>window.hit = 1</script>",
    "<svg onload=window.hit=1>",
    "javascript:window.hit=1",
    "<style>body{display:none}</style>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "\u202eevil\u202c \u2066x\u2069 \x1b[31m \x07 \x7f",
    '=HYPERLINK("http://x","y")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "${7*7} {{7*7}} %s %n",
    "-->]]></textarea></title>",
    "\ud7ff\u0000".replace("\u0000", "\u0001") + "\ufeff\u200b",
]


def hostile(count: int) -> list[str]:
    draw = random.Random(4)
    texts = [" ".join(draw.choices(SEEDS, k=draw.randint(1, 3))) + f" {row}" for row in range(count - 1)]
    return [*texts, "<b>" * 350_000]  # one of a megabyte


def watched(page: Any) -> list[str]:
    """Collect what must not happen on a page: words on the console, errors, dialogs, requests to other hosts."""
    noticed: list[str] = []
    page.on("console", lambda message: noticed.append(message.text) if "GL Driver" not in message.text else None)
    page.on("pageerror", lambda error: noticed.append(str(error)))
    page.on("dialog", lambda dialog: (noticed.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: noticed.append(request.url) if not _own(request.url) else None)
    return noticed


def _own(url: str) -> bool:
    return url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:"))


def stayed_text(page: Any, inside: str) -> None:
    """Check that no item became an element of a part of the page, and that none of them ran."""
    assert page.evaluate("window.hit") is None
    part = page.locator(inside)
    assert part.locator("script, img, iframe, style, textarea, title:not(svg title)").count() == 0
    shown = part.inner_text()
    assert "<script>window.hit = 1</script>" in shown
    assert "\u202e" not in shown
    assert "\x1b" not in shown
