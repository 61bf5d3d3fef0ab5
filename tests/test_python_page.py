"""The Python blocks of a page in docs/ run as they stand, one after the other, or say why not."""

import re
from pathlib import Path

import pytest

import grave_cli

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"(<!-- not run: [^\n]+ -->\n)?```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


PAGES = [page.name for page in DOCS.glob("*.md") if BLOCK.search(page.read_text("utf-8"))]


@pytest.mark.parametrize("page", sorted(PAGES))
@pytest.mark.filterwarnings("ignore::grave_cli.GraveWarning")
def test_the_blocks_of_a_page_run(
    page: str, sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for left_out, text in BLOCK.findall((DOCS / page).read_text("utf-8")):
        code = compile(text, f"docs/{page}", "exec")
        if not left_out:
            exec(code, names)


def test_the_python_page_names_every_function() -> None:
    text = (DOCS / "python.md").read_text("utf-8")
    for name in grave_cli.__all__:
        assert f"`{name}" in text or f"import {name}" in text, name
