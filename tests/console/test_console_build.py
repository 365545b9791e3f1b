"""The console's build: Node from its wheel, locked packages, and a page that a strict policy lets run."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import operators_ui
from operators_ui import npm

HERE = Path(operators_ui.__file__).parent


def test_lock_names_no_registry() -> None:
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    assert [name for name, about in packages.items() if "resolved" in about] == []
    assert [name for name, about in packages.items() if name and not about.get("integrity")] == []


def test_dependencies_are_exact_versions() -> None:
    about = json.loads((HERE / "package.json").read_text())
    versions = {**about["dependencies"], **about["devDependencies"]}
    assert [name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


def test_digest_follows_names_and_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "HERE", tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.ts").write_text("1")
    first = npm.digest(("src", "missing.json"))
    assert npm.digest(("src",)) == first
    (tmp_path / "src" / "a.ts").write_text("2")
    second = npm.digest(("src",))
    (tmp_path / "src" / "a.ts").rename(tmp_path / "src" / "b.ts")
    assert len({first, second, npm.digest(("src",))}) == 3


def test_build_is_skipped_when_the_sources_are_those_of_dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(npm, "HERE", tmp_path)
    monkeypatch.setattr(npm, "npm", lambda *words: ran.append(words) or _made(tmp_path, words))
    (tmp_path / "package-lock.json").write_text("{}")
    npm.build()
    npm.build()
    assert [words[0] for words in ran] == ["ci", "run"]
    (tmp_path / "index.html").write_text("changed")
    npm.build()
    assert [words[0] for words in ran] == ["ci", "run", "run"]


def _made(root: Path, words: tuple[str, ...]) -> None:
    (root / ("node_modules" if words[0] == "ci" else "dist")).mkdir()


def test_a_failing_command_says_which() -> None:
    with pytest.raises(npm.NpmError, match=r"no-such-script` failed .*status 1"):
        npm.npm("run", "--silent", "no-such-script")


def test_the_built_page_holds_nothing_inline() -> None:
    dist = operators_ui.dist_path()
    assert (dist / "index.html").is_file(), "pip install -e . builds the console"
    page = _Page()
    page.feed((dist / "index.html").read_text())
    assert page.inline == []
    assert page.files
    for file in page.files:
        assert (dist / file.lstrip("/")).is_file()


class _Page(HTMLParser):
    """Collects what a page loads, and what it holds inline."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.inline += [name for name in named if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in named):
            self.inline.append(tag)
        if tag in ("script", "link"):
            self.files.append(named.get("src") or named.get("href") or "")
