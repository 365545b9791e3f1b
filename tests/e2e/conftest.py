"""One centre and one browser for all tests of this folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from centre_process import Centre, free_ports
from playwright.sync_api import Browser, sync_playwright

from tests.browser import CHROMIUM

# Where `make demo` keeps the cameras' pictures: encoding them again would take minutes.
ENCODED = Path(__file__).parents[2] / "var" / "simulator"


@pytest.fixture(scope="session")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    running = Centre(tmp_path_factory.mktemp("centre") / "var", free_ports(3))
    if ENCODED.exists():
        shutil.copytree(ENCODED, running.data / "simulator")
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: while it lives its event loop runs in this thread, and no other may."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
