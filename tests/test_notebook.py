"""The notebook of docs/ runs from its first to its last cell, in a kernel of its own.

`GRAVECLI_RENEW_NOTEBOOK=1` also writes the outputs into the notebook.
"""

import ast
import os
from pathlib import Path

import pytest

import grave_cli

nbformat = pytest.importorskip("nbformat", reason="needs the extra dev")
NOTEBOOK = Path(__file__).parents[1] / "docs" / "python-api.ipynb"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def cells() -> list[str]:
    notebook = nbformat.read(NOTEBOOK, 4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_shows_every_function_and_its_outputs() -> None:
    tree = ast.parse("\n".join(cells()))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    functions = {name for name in grave_cli.__all__ if name.islower()}
    assert functions <= used
    notebook = nbformat.read(NOTEBOOK, 4)
    shown = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    assert len(shown) > 8
    assert "/tmp/" not in NOTEBOOK.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_notebook_runs(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs the extra dev")
    notebook = nbformat.read(NOTEBOOK, 4)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", record_timing=False, resources=where
    ).execute()  # raises with the traceback of the cell that fails
    streams = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert streams == []  # no warning, no message of a library
    assert (tmp_path / "starter.gpkg").is_file()
    if os.environ.get("GRAVECLI_RENEW_NOTEBOOK"):
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if "image/jpeg" in output.get("data", {}):
                    output["data"].pop("image/png", None)  # seven times as large
        notebook.metadata = METADATA
        nbformat.write(notebook, NOTEBOOK)
