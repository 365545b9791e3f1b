"""One centre and one browser for all tests of this folder."""

from collections.abc import Iterator

import pytest
from centre_process import Centre, copy_encoded, free_ports
from playwright.sync_api import Browser, sync_playwright

from tests.programs import CHROMIUM


@pytest.fixture(scope="session")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    running = Centre(tmp_path_factory.mktemp("centre") / "var", free_ports(3))
    copy_encoded(running.data)
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
