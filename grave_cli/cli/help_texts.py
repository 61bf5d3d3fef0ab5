"""Help texts: examples for each command, and square brackets that are shown as they are."""

import inspect
import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

_LINE_END = re.compile(r"(?<!\n)\n(?!\n)")  # within a paragraph
_TAG = re.compile(r"\[[a-z#/@][^\[]*?\]")  # as Rich recognises markup

EXAMPLES: dict[str, tuple[str, ...]] = {
    "train": (
        "gravecli train --channels rgb+dem",
        "gravecli train --data data --channels rgb --max-time 30m --name first",
        "gravecli train --dry-run",
        "gravecli train --resume first --epochs 80",
        "gravecli train --devices 2",
        "gravecli train --init-from models:/graves@champion",
        """gravecli train --set 'data.test=["st_anna"]'""",
    ),
    "hpo": (
        "gravecli hpo --study pilot --trials 20 --channels rgb+dem",
        "gravecli hpo --study pilot --workers 4 --timeout 2h",
        "gravecli hpo --study longer --epochs 20..60",
        "gravecli hpo --study pilot --workers 16 --ray head.office:6379 --storage URL",
        "gravecli hpo --study decode --model starter",
    ),
    "check": (
        "gravecli check",
        "gravecli check data --channels rgb+dem",
        "gravecli check --json",
    ),
    "dataset-id": (
        "gravecli dataset-id",
        "gravecli dataset-id data --manifest files.json",
        "gravecli dataset-id data --diff files.json",
        "gravecli dataset-id data --content",
    ),
    "predict-cemetery": (
        "gravecli predict-cemetery st_anna.tif",
        "gravecli predict-cemetery next/orthophotos/st_anna.tif --preview st_anna.png",
        "gravecli predict-cemetery st_anna.tif --dem heights.tif --model starter",
        "gravecli predict-cemetery st_anna.tif --truth surveyed.gpkg --json",
        "gravecli predict-cemetery st_anna.tif --crs EPSG:25832 --out maps/st_anna.gpkg",
        "gravecli predict-cemetery st_anna_2026.tif --previous st_anna_2025.gpkg",
        "gravecli predict-cemetery webodm/st_anna-all --preview st_anna.png",
        "gravecli predict-cemetery flights --dem-dir heights --out maps --preview maps",
        "gravecli predict-cemetery @list.txt --out maps --shard 1/4",
        "gravecli predict-cemetery flights --out maps --ray head.office:6379",
        "gravecli predict-cemetery s3://county/st_anna.tif --set data.allow_remote=true",
    ),
    "evaluate": (
        "gravecli evaluate st_anna.gpkg surveyed.gpkg",
        "gravecli evaluate st_anna.gpkg surveyed.gpkg --report st_anna.html",
        "gravecli evaluate st_anna.gpkg surveyed.gpkg --by-attribute KIND --json",
        "gravecli evaluate --cross-validate --data data --max-time 30m",
    ),
    "compare": (
        "gravecli compare st_anna_2025.gpkg st_anna_2026.gpkg",
        "gravecli compare old.gpkg new.gpkg --out changes.gpkg --json",
        "gravecli compare old.gpkg new.gpkg --id Grab-Nr --set compare.moved_m=0.5",
    ),
    "join": (
        'gravecli join st_anna.gpkg list.xlsx --on "Feld,Reihe,Nummer"',
        "gravecli join st_anna.gpkg list.csv --map field=Teil --map number=Platz",
        "gravecli join st_anna.gpkg places.csv --crs EPSG:31467 --out joined.gpkg",
    ),
    "tidy": (
        "gravecli tidy st_anna.gpkg",
        "gravecli tidy st_anna.gpkg --check",
        "gravecli tidy st_anna.gpkg --dem heights.tif --lang de",
    ),
    "verify": (
        "gravecli verify st_anna.gpkg",
        "gravecli verify st_anna.gpkg --only graves",
    ),
    "runs": (
        "gravecli runs",
        "gravecli runs --all --limit 50",
        "gravecli runs --json",
        "gravecli runs --prune",
    ),
    "dashboard": (
        "gravecli dashboard",
        "gravecli dashboard --study pilot",
        "gravecli dashboard --mlflow --no-browser",
    ),
    "sample-data": (
        "gravecli sample-data",
        "gravecli sample-data data --cemeteries 8 --seed 1",
        "gravecli sample-data varied --variety all --size-m 60",
    ),
    "model-info": (
        "gravecli model-info starter",
        "gravecli model-info models:/graves@champion --json",
    ),
    "export": (
        "gravecli export first --deepness graves.onnx",
        "gravecli export starter --deepness graves.onnx --set prediction.tile_px=1024",
    ),
    "qgis-plugin": (
        "gravecli qgis-plugin",
        "gravecli qgis-plugin --out plugins",
    ),
    "import-annotations": (
        "gravecli import-annotations instances.json",
        "gravecli import-annotations voc --category grave --category urn",
        "gravecli import-annotations tasks.json --orthophotos chips --out drawn",
    ),
    "export-chips": (
        "gravecli export-chips --out chips",
        "gravecli export-chips data --format yolo-seg --out yolo --size-px 1024",
        "gravecli export-chips next --no-split --out to_annotate",
    ),
    "config": (
        "gravecli config",
        "gravecli config --init",
        "gravecli config --schema",
        "gravecli config --set training.epochs=5 --json",
    ),
}


class PlainCommand(TyperCommand):
    """A command whose help texts are not markup: `[data]` is shown as `[data]`."""

    def __init__(self, *arguments: Any, **how: Any) -> None:
        super().__init__(*arguments, **how)
        _escape_texts(self)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all arguments and options, Typer's own included."""
        return [_without_odd_type(parameter) for parameter in super().get_params(ctx)]


class PlainGroup(TyperGroup):
    """A group of commands whose help texts are not markup."""

    def __init__(self, *arguments: Any, **how: Any) -> None:
        super().__init__(*arguments, **how)
        _escape_texts(self)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all arguments and options, Typer's own included."""
        return [_without_odd_type(parameter) for parameter in super().get_params(ctx)]


def examples_of(command: str) -> str:
    """Write the section "Examples" of a command's help."""
    return "\n".join(["Examples:", *(f"  {line}" for line in EXAMPLES.get(command, ()))])


def _escape_texts(command: Any) -> None:
    if command.help:  # Typer keeps the lines of all paragraphs but the first
        command.help = _LINE_END.sub(" ", inspect.cleandoc(command.help))
    for name in ("help", "short_help", "epilog"):
        setattr(command, name, _escaped(getattr(command, name)))
    for parameter in command.params:
        if text := getattr(parameter, "help", None):
            parameter.help = _escaped(text)


def _without_odd_type(parameter: Any) -> Any:
    """Hide `<bool>` of switches, which take no value, and `<list[Path]>` of repeated arguments."""
    display = getattr(parameter, "display_type_rich", None)  # Typer before 0.29 has none
    if display is not None and "display_type_rich" not in vars(parameter):
        parameter.display_type_rich = lambda ctx: _plain_type(display(ctx))
    return parameter


def _plain_type(shown: str | None) -> str | None:
    return None if shown == "<bool>" or (shown or "").startswith("<list[") else shown


def _escaped(text: str | None) -> str | None:
    """Escape what Rich would take for markup and leave out."""
    return None if text is None else _TAG.sub(r"\\\g<0>", text)
