"""The console in a real browser over the real application of a test's centre."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import uvicorn
from centre_support import PASSWORD, Running
from playwright.async_api import Page, async_playwright, expect

from csu.app import create_app
from csu.settings import Console
from operators_ui import dist_path
from tests.programs import CHROMIUM

# A list is asked for anew every five seconds, on a machine that may be slow, and may stand still.
PATIENCE_MS = 90_000
expect.set_options(timeout=PATIENCE_MS)


@asynccontextmanager
async def served(centre: Running) -> AsyncIterator[str]:
    """The application of this centre on a port of its own; its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        origin = f"http://localhost:{port}"
        console = Console(port=port, origin=origin)
        settings = centre.centre.settings.model_copy(update={"console": console})
        app = create_app(replace(centre.centre, settings=settings), dist_path())
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=30))
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield origin
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def page_of(origin: str, login: str, view: str, language: str = "fr-FR") -> AsyncIterator[Page]:
    """A person's browser, in its own language, on a view; fails when a script of the page did."""
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", f"--lang={language}"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=PATIENCE_MS)
        context = await browser.new_context(viewport={"width": 1600, "height": 900}, locale=language)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda said: failures.append(said.text) if "Content Security" in said.text else None)
        await page.goto(origin)
        await page.get_by_test_id("login-login").fill(login)
        await page.get_by_test_id("login-password").fill(PASSWORD)
        if await page.get_by_test_id("login-motif").count() and login == "delegue":
            await page.get_by_test_id("login-motif").select_option("SECURITE")
        await page.get_by_test_id("login-submit").click()
        await page.get_by_test_id(f"nav-{view}").click()
        yield page
        await browser.close()
        assert failures == []
