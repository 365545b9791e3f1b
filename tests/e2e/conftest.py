"""One centre and one browser for all tests of this folder."""

from collections.abc import Iterator

import pytest
from centre_process import Centre, copy_encoded
from playwright.sync_api import Browser, expect, sync_playwright

from tests.ports import free_ports
from tests.programs import CHROMIUM

# On a machine that is slow, or stands still for seconds, what is expected comes all the same.
expect.set_options(timeout=60_000)


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
            timeout=120_000,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
