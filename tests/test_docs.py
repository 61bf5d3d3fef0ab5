"""README and docs/: links lead somewhere, and every command, option and setting exists.

The checkers are tried on short texts with a mistake each first: a checker that finds nothing
proves nothing.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from grave_cli.cli.app import app
from grave_cli.settings.nested import flatten
from grave_cli.settings.tree import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
README_LINES = 110

GROUP = typer.main.get_command(app)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
SETTING = re.compile(r"[a-z]\w*(?:\.\w+)+")
FILE_ENDINGS = (".py", ".toml", ".db", ".md", ".json", ".yaml", ".safetensors", ".onnx")


def options_of(command: str) -> set[str]:
    """List the options of a command; of the program itself for ""."""
    owner = GROUP.commands[command] if command else GROUP
    return {"--help"} | {name for p in owner.params for name in (*p.opts, *p.secondary_opts)}


ALL_OPTIONS = set.union(*(options_of(name) for name in ("", *GROUP.commands)))
SECTIONS = set(Settings.model_fields)
SETTINGS = {key for key, _ in flatten(Settings().model_dump())}


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading: `The GeoPackage` -> `the-geopackage`."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text("utf-8"))
    return {slug(line.lstrip("#")) for line in text.splitlines() if line.startswith("#")}


def broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def command_lines(text: str) -> Iterator[list[str]]:
    """Split every `gravecli …` of console blocks and inline code into words, comments removed."""
    blocks = [body for language, body in FENCE.findall(text) if language in ("console", "sh")]
    lines = [line for body in blocks for line in body.replace("\\\n", " ").splitlines()]
    for line in (*lines, *SPAN.findall(FENCE.sub("", text))):
        if line.startswith(("gravecli ", ".venv/bin/gravecli ")):
            yield shlex.split(line, comments=True)[1:]


def unknown_words(text: str) -> Iterator[str]:
    """Find commands, and options of commands, that the program does not have."""
    for words in command_lines(text):
        command = "" if words[0].startswith("-") else words[0]
        if command and command not in GROUP.commands:
            if not command.isupper():  # COMMAND stands for any
                yield f"gravecli {command}"
            continue
        for name in (word.partition("=")[0] for word in words):
            if not name.startswith("-"):
                yield from unknown_settings(name)
            elif name not in options_of(command):
                yield f"gravecli {command} {name}"


def unknown_options(text: str) -> Iterator[str]:
    """Find options named alone, as in `--tta 8`, that no command has."""
    for span in SPAN.findall(FENCE.sub("", text)):
        if span.startswith("--") and span.split()[0] not in ALL_OPTIONS:
            yield span


def unknown_settings(text: str) -> Iterator[str]:
    """Find dotted names that begin like a setting, such as `data.root`, but are none."""
    for name in SETTING.findall(text):
        if name.split(".")[0] in SECTIONS and not name.endswith(FILE_ENDINGS):
            whole = any(key == name or key.startswith(f"{name}.") for key in SETTINGS)
            if not whole and not name.startswith("hpo.studies."):  # names of the user's own
                yield name


def settings_in_spans(text: str) -> Iterator[str]:
    for span in SPAN.findall(FENCE.sub("", text)):
        if re.fullmatch(rf"{SETTING.pattern}(=.*)?", span):
            yield from unknown_settings(span.partition("=")[0])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_images_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_options_and_settings_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    keys = page.name == "json.md"  # keys of JSON, some of which look like settings
    settings = () if keys else settings_in_spans(text)
    assert [*unknown_words(text), *unknown_options(text), *settings] == []


def test_readme_is_short_and_shows_every_command() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= README_LINES
    named = {words[0] for words in command_lines(text)}
    assert set(GROUP.commands) - named == set()


def test_readme_links_every_page() -> None:
    links = LINK.findall((ROOT / "README.md").read_text("utf-8"))
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= set(links)


def test_every_image_is_shown_by_a_page() -> None:
    shown = {Path(link).name for page in PAGES for link in LINK.findall(page.read_text("utf-8"))}
    assert {path.name for path in (ROOT / "docs" / "images").iterdir()} - shown == set()


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("[page](missing.md)", "missing.md"),
        ("![picture](images/missing.png)", "images/missing.png"),
        ("# Here\n[anchor](#there)", "#there"),
        ("[anchor](other.md#there)", "other.md#there"),
    ],
)
def test_a_broken_link_is_found(tmp_path: Path, text: str, link: str) -> None:
    (tmp_path / "other.md").write_text("# Here\n```sh\n# there\n```\n", "utf-8")
    page = tmp_path / "page.md"
    page.write_text(f"{text} [fine](other.md#here) [web](https://example.org/#x)\n", "utf-8")
    assert list(broken_links(page)) == [link]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`gravecli trian`", "gravecli trian"),
        ("```console\ngravecli train --epoch 3\n```", "gravecli train --epoch"),
        ("```console\ngravecli train \\\n    --preview a.png\n```", "gravecli train --preview"),
        ("```console\ngravecli train --set chips.size=3\n```", "chips.size"),
        ("`gravecli check data --report a.html`", "gravecli check --report"),
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, found: str) -> None:
    assert list(unknown_words(text)) == [found]


def test_comments_placeholders_and_prose_are_not_taken_for_commands() -> None:
    text = (
        "gravecli maps graves. `gravecli COMMAND --help` `gravecli --version`\n"
        "```console\ngravecli runs    # not --an-option\n```\n"
        "```text\ngravecli nonsense --nonsense\n```\n"
    )
    assert [*unknown_words(text), *unknown_options(text)] == []


def test_an_option_or_setting_named_alone_must_exist() -> None:
    assert list(unknown_options("`--tta 8` and `--tat 8`")) == ["--tat 8"]
    text = "`data.root` `data.roof` `hpo.py` `errors.py` `training.epochs=5` `[review]`"
    assert list(settings_in_spans(text)) == ["data.roof"]
