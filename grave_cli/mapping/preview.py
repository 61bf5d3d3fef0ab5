"""A picture of a map: the orthophoto with outlined graves, and the ground truth if known."""

from functools import partial
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from grave_cli.atomic_writes import whole_file
from grave_cli.drawing.colormaps import CYAN, YELLOW
from grave_cli.drawing.outlines import Layer, verdict_layers
from grave_cli.drawing.overview import overview
from grave_cli.mapping.result import PredictionResult, ScoredMap
from grave_cli.outputs import FOREIGN, Output, seal, source_of
from grave_cli.rasters.orthophoto import inspect_orthophoto
from grave_cli.rasters.orthophoto_pixels import read_orthophoto
from grave_cli.settings.output import Language
from grave_cli.wording import counted

_LONGEST_SIDE_PX = 2000
_SEAL_KEY = "gravecli"


def preview_output(path: Path, orthophoto: Path) -> Output:
    """Describe the overview of an orthophoto as an output.

    Args:
        path: The picture.
        orthophoto: The orthophoto to be mapped.
    """
    why_keep = partial(why_keep_preview, source=source_of(orthophoto))
    return Output("--preview", path, "a PNG picture", (".png",), why_keep)


def write_preview(
    orthophoto: Path,
    result: PredictionResult,
    path: Path,
    scored: ScoredMap | None = None,
    language: Language = "en",
) -> None:
    """Write an overview as PNG; its legend is also its description, for those who cannot see it.

    Args:
        orthophoto: The mapped image.
        result: The graves.
        path: The picture.
        scored: The ground truth and the verdicts: found graves are green, merged ones orange, split
            ones purple, wrong ones red, missed ones blue. None if there is no ground truth.
        language: Language of title and legend; those of a scored map are English, like the score.

    Raises:
        ExportError: It cannot be written.
    """
    frame = result.frame
    grid = frame.coarsened(max(1.0, max(frame.shape) / _LONGEST_SIDE_PX))
    pixels = read_orthophoto(inspect_orthophoto(orthophoto), grid)
    language = "en" if scored else language
    words = _graves(len(result.polygons), language)
    if scored is None:
        layers = [Layer(result.polygons, YELLOW, words)]
    else:
        layers = verdict_layers(result.polygons, scored.truth, scored.judgement.verdicts)
    if len(result.candidates):
        caption = _candidates(len(result.candidates), language)
        layers = [Layer(result.candidates.polygons, CYAN, caption), *layers]
    title = f"{result.cemetery}: {words}"
    picture = overview(pixels.rgb, pixels.valid, grid.transform, layers, title)
    marks = PngInfo()
    marks.add_text("Description", "; ".join([title, *(layer.caption for layer in layers)]))
    marks.add_text(_SEAL_KEY, _seal(picture, source_of(orthophoto)))
    with whole_file(path) as new:
        picture.save(new, format="PNG", pnginfo=marks)


def _graves(count: int, language: Language) -> str:
    return counted(count, "Grab", "Gräber") if language == "de" else counted(count, "grave")


def _candidates(count: int, language: Language) -> str:
    if language == "de":
        return f"{counted(count, 'Kandidat', 'Kandidaten')}, nicht als Gräber gezeichnet"
    return f"{counted(count, 'candidate')}, not drawn as graves"


def why_keep_preview(path: Path, source: str) -> str | None:
    """Return why an existing picture must not be replaced; None if nothing is lost by it.

    Args:
        path: The picture.
        source: `source_of` the orthophoto of the new map.
    """
    try:
        with Image.open(path) as picture:
            found = picture.info.get(_SEAL_KEY)
            is_own = bool(source) and found == _seal(picture, source)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return FOREIGN
    if found is None:
        return FOREIGN
    return None if is_own else "was changed since gravecli wrote it, or shows another orthophoto"


def _seal(picture: Image.Image, source: str) -> str:
    return seal(source, str(picture.size), picture.tobytes())
