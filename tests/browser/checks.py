"""Demands on every page: its size, its looks at two widths and in two colour schemes, axe's rules, the keyboard."""

import re

from axe_playwright_python.sync_playwright import Axe

LARGEST = 300_000  # bytes of a file
WIDTHS = (360, 1440)
AXE = Axe().axe_script
SERIOUS = ("serious", "critical")
# All of axe's rules on the whole page; that of contrasts, which takes most of the time, on the first and last of the
# elements of each kind: of the same tags, classes, backgrounds, colours and fonts.
VIOLATIONS = """async () => {
  const backgrounds = new Map([[null, ""]]), kinds = new Map();
  const background = (element) => {
    if (!backgrounds.has(element)) {
      const style = getComputedStyle(element), own = [style.backgroundColor, style.backgroundImage, style.opacity];
      const name = [element.tagName, element.getAttribute("class"), own].join(" ");
      backgrounds.set(element, `${background(element.parentElement)} > ${name}`);
    }
    return backgrounds.get(element);
  };
  const hasText = (element) => element.matches("input, select, textarea")
    || [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  for (const element of document.body.querySelectorAll("*")) {
    if (!hasText(element) || !element.checkVisibility()) continue;
    const { color, fontSize, fontWeight, textShadow } = getComputedStyle(element);
    const kind = [background(element), color, fontSize, fontWeight, textShadow].join("|");
    kinds.set(kind, [kinds.get(kind)?.[0] ?? element, element]);
  }
  const include = [...new Set([...kinds.values()].flat())], only = { resultTypes: ["violations"] };
  const found = [await axe.run({ ...only, rules: { "color-contrast": { enabled: false } } })];
  if (include.length) found.push(await axe.run({ include }, { ...only, runOnly: ["color-contrast"] }));
  return found.flatMap(({ violations }) => violations.map(({ id, impact, help, nodes }) => (
    { id, impact, help, nodes: nodes.slice(0, 5).map((node) => node.html.slice(0, 160)) })));
}"""
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
    page.evaluate(AXE)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (
                f"at {width} the page scrolls sideways"
            )
            found = [each for each in page.evaluate(VIOLATIONS) if each["impact"] in SERIOUS]
            assert not found, f"at {width}, {scheme}: {found}"
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
