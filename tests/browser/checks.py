"""Demands on every page: its size, its looks at two widths and in two colour schemes, axe's rules, the keyboard."""

import re

from axe_playwright_python.sync_playwright import Axe

LARGEST = 300_000  # bytes of a file
WIDTHS = (360, 1440)
SERIOUS = ("serious", "critical")
CONTROLS = """() => {
  const all = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']");
  const isReached = (each) => each.type !== "radio" || each.checked
    || !document.querySelector(`input[name="${CSS.escape(each.name)}"]:checked`);
  window.controls = [...all].filter((each) => !each.disabled && each.checkVisibility() && isReached(each));
  return window.controls.map((each) => each.outerHTML.slice(0, 100));
}"""
FOCUS = """() => {
  const element = document.activeElement, style = getComputedStyle(element);
  return [window.controls.indexOf(element), style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0];
}"""


def is_foreign(url, address):
    """Whether a request leaves the page: it is for another file, or for anything but data that the page holds."""
    return url.partition("#")[0] != address and not url.startswith(("data:", "blob:"))


def check_looks(page):
    """Hold a page to its widths, colours and axe's rules; leaves it at 1,440 pixels in light colours."""
    brightness = {}
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (
                f"at {width} the page scrolls sideways"
            )
            found = [each for each in Axe().run(page).response["violations"] if each["impact"] in SERIOUS]
            told = [(each["id"], each["help"], [node["html"][:160] for node in each["nodes"]][:5]) for each in found]
            assert not told, f"at {width}, {scheme}: {told}"
    assert brightness["dark"] < 200 < 600 < brightness["light"], f"brightness of the background: {brightness}"


def check_keyboard(page):
    """Every control that is seen is reached by the key Tab, and shows that it has the focus."""
    names = page.evaluate(CONTROLS)
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(2 * len(names) + 10):  # a browser stops at more than our controls
        if len(reached) == len(names):
            return
        page.keyboard.press("Tab")
        index, is_seen = page.evaluate(FOCUS)
        if index >= 0:
            assert is_seen, f"no visible focus: {names[index]}"
            reached.add(index)
    missing = [name for index, name in enumerate(names) if index not in reached]
    assert not missing, f"not reached by the key Tab: {missing}"
