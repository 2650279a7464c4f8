"""README.md and docs/: their code runs, the reference has everything, and the site builds."""
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from fastredis.engine.command import declared_commands

from docs import reference
from fastredis import commands
from fastredis.config.table import PARAMETERS
from fastredis.engine.arguments import parse_args
from tests.docs import FENCE, PAGES, TOP, blocks, reader

DOCKER, INSTALL = (next(block.text for block in blocks(TOP / "docs" / "deployment.md") if word in block.text)
                   for word in ("docker build", "systemctl enable"))

# Blocks that no test runs, and why.
NOT_RUN = {
    "make run\n": "builds the program, and serves until it is stopped",
    "pip install .\nfastredis --port 6379\n": "installs packages, and serves until it is stopped",
    "pip install '.[client]'\n": "installs packages",
    "pip install 'fastredis-server[metrics]'\n": "installs packages",
    "make test\n": "runs all tests, this one included",
    DOCKER: "needs Docker; tests/test_deploy.py looks at the Dockerfile",
    INSTALL: "changes the system; tests/test_deploy.py verifies the unit",
}
LONG_PAGES = {
    "scaling.md": "waits for failovers and clusters, nearly three minutes: python -m tests.docs docs/scaling.md",
    "benchmarks.md": "measures for minutes or hours; tests/test_benchmarks.py runs what these commands run",
}
LANGUAGES = {"sh", "python", "text"}        # others only as files
SHORT_PAGES = [page for page in PAGES if page.name not in LONG_PAGES]
PROGRAMS = ("redis-cli", "redis-server", "curl", "openssl")


def shell_code():
    return [(page, block) for page in PAGES for block in blocks(page) if block.language in ("sh", "python")]


def test_the_blocks_are_found():
    """Every fence is one, and says what it is; README's table and the like are no code."""
    assert len(shell_code()) > 40
    for page in PAGES:
        fences = re.findall("^ *```", page.read_text(), re.MULTILINE)
        assert len(fences) == 2 * len(blocks(page)), page
        assert all(block.language in LANGUAGES or block.title for block in blocks(page)), page
        assert not re.search(r"^\n    \S", FENCE.sub("", page.read_text()), re.MULTILINE), f"{page}: indented code"


@pytest.mark.parametrize("page, block", shell_code(), ids=lambda each: getattr(each, "name", getattr(each, "line", "")))
def test_block_can_be_read(page, block):
    """Those of the pages that take long, too."""
    if block.language == "python":
        compile(block.text, page.name, "exec")
    else:
        subprocess.run(["bash", "-n"], input=block.text, text=True, check=True, timeout=60)


@pytest.mark.parametrize("page", SHORT_PAGES, ids=lambda page: page.name)
def test_code_of_page(page):
    missing = [name for name in PROGRAMS if shutil.which(name) is None and name in page.read_text()]
    if missing and any(name in block.text for name in missing for block in blocks(page)):
        pytest.skip(f"no {' and no '.join(missing)} on PATH")
    with reader() as one:
        one.follow(page, frozenset(NOT_RUN))


def test_what_is_not_run_is_there():
    texts = {block.text for page in PAGES for block in blocks(page)}
    assert NOT_RUN.keys() <= texts
    assert LONG_PAGES.keys() <= {page.name for page in PAGES}


# --- the reference ------------------------------------------------------------------------------------------------

REFERENCE = reference.pages()


def test_reference_has_every_command():
    commands.load()
    for command in declared_commands():
        declared = command.declaration
        name = declared.name.decode().replace("|", " ").upper()
        page = next(text for text in REFERENCE.values() if f"\n## {name} {{" in text)
        section = page.split(f"\n## {name} {{", 1)[1].split("\n## ", 1)[0]
        assert f"| since | {declared.since} |" in section and f"| arity | {declared.arity} (" in section


def test_reference_has_every_parameter():
    for parameter in PARAMETERS:
        assert f"\n| `{parameter.name}` | " in REFERENCE["parameters.md"]


def test_reference_says_what_commands_reply():
    """Whatever is not a mere container, but for what there is without a handler's docstring in the source."""
    said = reference.handlers()
    without = [command.name for command in declared_commands()
               if command.name not in said and not command.declaration.subcommands]
    assert all(name.startswith((b"cluster|", b"module|")) for name in without), without


@pytest.mark.parametrize("text, shown", [
    ("key value", "key value"),
    ("key [condition=(NX | XX)] [GET]", "key [NX | XX] [GET]"),
    ("key... [COUNT count:integer]", "key [key ...] [COUNT count]"),
    ("from=(LEFT | RIGHT) data={key value}...", "<LEFT | RIGHT> key value [key value ...]"),
    ("[GET... pattern]", "[GET pattern [GET pattern ...]]"),
    ("[STORE where=(A | B)]", "[STORE <A | B>]"),
])
def test_syntax(text, shown):
    assert reference.syntax(parse_args(text)) == shown


def test_differences_stand_with_their_commands():
    section = REFERENCE["commands/cluster.md"].split("\n## READONLY {")[1].split("\n## ")[0]
    assert "Otherwise than in redis-server" in section
    assert len(reference.differences()) > 5


# --- the site -----------------------------------------------------------------------------------------------------

FETCHES = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src",
           "embed": "src", "object": "data", "link": "href"}


class Fetches(HTMLParser):
    """What a page has a browser fetch."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if FETCHES.get(tag) in values:
            self.found.append(values[FETCHES[tag]])
        assert "mermaid" not in (values.get("class") or ""), "the theme would fetch a program that draws"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("mkdocstrings") is None,
                    reason="mkdocs is not installed: make docs, or pip install '.[docs]'")
def test_the_site(tmp_path):
    """It builds without a warning, and its pages fetch nothing from elsewhere."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", tmp_path]
    done = subprocess.run(command, cwd=TOP, text=True, capture_output=True, check=False, timeout=300,
                          env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        fetched = Fetches(page.read_text()).found
        assert fetched and not [url for url in fetched if re.match(r"(\w+:)?//", url)], page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", sheet.read_text()), sheet
