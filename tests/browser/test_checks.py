"""The checks of pages fail where they should."""

import re
import shutil
import subprocess

import pytest

from tests.browser import checks
from tests.sources import ROOT

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>x</title><style>
:root { color-scheme: light dark; } body { background: Canvas; color: CanvasText; }</style></head>
<body><main><h1>x</h1>%s</main></body></html>"""


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('<div style="width: 400px">wide</div>', "at 360 the page scrolls sideways"),
        ('<p style="color: #999; background: #fff">pale</p>', "color-contrast"),
        ('<p>dark</p><p style="color: #999; background: #fff">pale</p><p>dark</p>', "color-contrast"),
        ('<svg role="img" width="9" height="9"></svg>', "svg-img-alt"),
        ("<input>", "label"),
        ("<style>body { background: #fff; color: #000 }</style>", "brightness"),
    ],
)
def test_looks(open_page, tmp_path, content, complaint):
    (tmp_path / "page.html").write_text(PAGE % content, encoding="utf-8")
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        checks.check_looks(open_page(tmp_path / "page.html"))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("<style>button { outline: none }</style><button>a</button>", "no visible focus: <button>"),
        ("<button onfocus='this.blur()'>a</button><a href='#x'>b</a>", "not reached by the key Tab: ['<button"),
    ],
)
def test_keyboard(open_page, tmp_path, content, complaint):
    (tmp_path / "page.html").write_text(PAGE % content, encoding="utf-8")
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        checks.check_keyboard(open_page(tmp_path / "page.html"))


def test_requests_and_errors(open_page, complaints, tmp_path):
    scripts = "<script>console.error('told'); undefined.name</script><img alt='' src='other.png'>"
    (tmp_path / "page.html").write_text(PAGE % scripts, encoding="utf-8")
    open_page(tmp_path / "page.html").wait_for_timeout(50)
    found = " ".join(complaints)
    complaints.clear()
    for complaint in ("told", "Cannot read properties of undefined", "other.png"):
        assert complaint in found


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "The tests of pages need a browser. Run: apt install chromium; or set CHROMIUM"),
        ({"CHROMIUM": "missing"}, "The tests of pages need a browser, and CHROMIUM=missing is no program."),
    ],
)
def test_a_missing_browser_is_told_in_one_line(settings, complaint):
    bash = shutil.which("bash")
    told = subprocess.run(
        [bash, ROOT / "tools" / "browser.sh", "install"],
        env={"PATH": "/missing", **settings},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 1
    assert told.stderr.startswith(complaint)
    assert (told.stdout, told.stderr.count("\n")) == ("", 1)


def test_the_browser_of_the_environment_is_used(tmp_path):
    own = tmp_path / "own"
    own.write_text("#!/bin/sh\n", encoding="utf-8")
    own.chmod(0o755)
    told = subprocess.run([ROOT / "tools" / "browser.sh"], env={"CHROMIUM": str(own)}, capture_output=True, text=True)
    assert told.stdout == f"{own}\n"
