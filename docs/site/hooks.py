"""Pages of the documentation site that are made when it is built, and links between them.

The start page is README.md. The pages of commands, settings and the Python API come from the
program, so that they cannot lag behind. The notebook becomes a page with its outputs.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "python-api.ipynb"
# Files outside of docs/ to which pages link -> their page.
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "config.example.toml": "settings.md",
}
_LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")
_NOT_RUN = re.compile(r"^<!-- not run: [^\n]+ -->\n", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    files.remove(files.get_file_from_path("python-api.ipynb"))  # type: ignore[arg-type]
    pages = {page: (ROOT / name).read_text("utf-8") for name, page in OUTSIDE.items()}
    pages |= {
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "api.md": api_page(),
        "python-api.md": notebook_page(NOTEBOOK),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Let links lead to pages of the site: from README.md without docs/, to files outside of it."""
    return _NOT_RUN.sub("", _LINK.sub(_retarget, markdown))


def _retarget(link: re.Match[str]) -> str:
    target, anchor = link[1], link[2] or ""
    name = target.removeprefix("../").removeprefix("docs/")
    name = OUTSIDE.get(name, name).replace("python-api.ipynb", "python-api.md")
    return f"]({name}{anchor})"


def commands_page() -> str:
    """Write a page with the help of every command."""
    import typer

    from grave_cli.cli.app import app
    from grave_cli.cli.help_texts import EXAMPLES

    group: Any = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "Every command also knows `--help`. The texts below are the same.",
        "",
    ]
    for name, command in sorted(group.commands.items()):
        lines += [f"## gravecli {name}", "", _plain(command.help), ""]
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if one.param_type_name == "option"]
        for title, params in (("argument", arguments), ("option", options)):
            shown = [one for one in params if not one.hidden]
            if shown:
                lines += [f"| {title} | |", "|---|---|"]
                lines += [f"| {_spelling(one)} | {_cell(_plain(one.help))} |" for one in shown]
                lines.append("")
        lines += ["```console", *EXAMPLES.get(name, ()), "```", ""]
    return "\n".join(lines)


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    value = parameter.metavar or ("" if parameter.is_flag else "VALUE")
    return _cell(f"{names} {value}".strip())


def settings_page() -> str:
    """Write a page with every setting: name, values, default and help text."""
    from grave_cli.settings.schema import settings_schema

    schema = settings_schema()
    lines = [
        "# Settings",
        "",
        "All settings with their defaults. [Training](training.md#settings) tells where values "
        "come from; `gravecli config --init` writes them into `gravecli.toml`.",
        "",
    ]
    lines += _section("", schema, schema)
    return "\n".join(lines)


def _section(prefix: str, part: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    rows, below = [], []
    for name, field in part["properties"].items():
        whole = _resolved(field, schema)
        if "properties" in whole:
            below.append((f"{prefix}{name}.", whole))
        else:
            default = json.dumps(field.get("default", {}), ensure_ascii=False)
            default = default if len(default) < 60 else "…"
            text = _cell(whole.get("description", ""))
            rows.append(
                f"| `{prefix}{name}` | {_cell(_values(whole))} | `{_cell(default)}` | {text} |"
            )
    if prefix:
        yield from (f"## {prefix.rstrip('.')}", "", part.get("description", ""), "")
    if rows:
        yield from ("| setting | values | default | |", "|---|---|---|---|", *rows, "")
    for name, whole in below:
        yield from _section(name, whole, schema)


def _resolved(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for one in (field, *field.get("allOf", ())):
        if reference := one.get("$ref"):
            return {**schema["definitions"][reference.rpartition("/")[2]]}
    return field


def _values(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_values(one) for one in field["anyOf"] if "$ref" not in one)
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum", field.get("exclusiveMaximum"))
    kind = {"integer": "whole number", "number": "number", "string": "text", "array": "list"}
    words = kind.get(field.get("type", ""), field.get("type", ""))
    words = {"boolean": "`true`, `false`", "object": "table"}.get(words, words)
    return f"{words}, {low:g} to {high:g}" if None not in (low, high) else words


def api_page() -> str:
    """Write the page of the Python API; mkdocstrings fills it from the docstrings."""
    functions = ("train", "predict_cemetery", "evaluate", "read_graves", "check", "dataset_id")
    places = [f"grave_cli.api.commands.{name}" for name in (*functions, "write_sample_data")]
    places += ["grave_cli.api.prepared.resolve", "grave_cli.api.listeners.listen"]
    results = [
        "grave_cli.api.results.Graves",
        "grave_cli.api.results.CemeteryMap",
        "grave_cli.training.trainer.TrainingResult",
        "grave_cli.evaluation.evaluate.Evaluation",
        "grave_cli.evaluation.scorecard.Scorecard",
        "grave_cli.dataset.identity.dataset_id.Fingerprint",
        "grave_cli.doctor.report.CheckReport",
        "grave_cli.api.listeners.ProgressEvent",
    ]
    lines = ["# Python API", "", "[Python](python.md) shows how to use these functions.", ""]
    for title, names in (
        ("Functions", places),
        ("Results", results),
        ("Errors", ["grave_cli.errors"]),
    ):
        lines += [f"## {title}", "", *(f"::: {name}\n" for name in names)]
    return "\n".join(lines)


def notebook_page(path: Path) -> str:
    """Write a notebook as a page with its outputs."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        else:
            parts.append(f"```python\n{source}\n```")
            parts += [_output(output) for output in cell["outputs"]]
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "image/jpeg" in data:
        picture = "".join(data["image/jpeg"]).strip()
        return f'<img alt="output" src="data:image/jpeg;base64,{picture}">'
    if "text/html" in data:
        html = re.sub(r"<style.*?</style>", "", "".join(data["text/html"]), flags=re.DOTALL)
        return re.sub(r"\n\s*", "", html)
    text = "".join(output.get("text") or data.get("text/plain", ""))
    return f"```text\n{text.rstrip()}\n```"


def _plain(text: str | None) -> str:
    """Undo what keeps Rich from taking brackets for markup."""
    return (text or "").replace("\\[", "[")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
