"""A browser for the tests of pages: one for each test process, without a network."""

import subprocess

import pytest
from playwright.sync_api import sync_playwright

from tests.browser import checks
from tests.sources import ROOT

SWITCHES = (  # as in a container, and no request of the browser's own
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def browser():
    """A running Chromium."""
    found = subprocess.run([ROOT / "tools" / "browser.sh"], capture_output=True, text=True)
    if found.returncode:
        pytest.fail(found.stderr.strip(), pytrace=False)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found.stdout.strip(), args=SWITCHES)
        yield started
        started.close()


@pytest.fixture
def complaints():
    """Requests besides those for the opened files, errors and warnings; the test fails if any are left at its end."""
    found = []
    yield found
    assert not found


@pytest.fixture
def open_page(browser, complaints):
    """A function that opens a file at 1,440 pixels in light colours, and notes its complaints."""
    context = browser.new_context(viewport={"width": checks.WIDTHS[-1], "height": 900}, offline=True)

    def opened(path):
        page, address = context.new_page(), path.resolve().as_uri()
        page.on("request", lambda request: checks.is_foreign(request.url, address) and complaints.append(request.url))
        page.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield opened
    context.close()


@pytest.fixture
def check_page(open_page):
    """A function that opens a file and holds it to all that is asked of every page; see :mod:`tests.browser.checks`."""

    def checked(path):
        assert path.stat().st_size < checks.LARGEST, f"{path.name} has {path.stat().st_size:,} bytes"
        page = open_page(path)
        checks.check_looks(page)
        checks.check_keyboard(page)
        return page

    return checked
