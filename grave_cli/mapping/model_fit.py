"""Whether a cemetery fits a model: refuse honest impossibilities, adapt and report the rest."""

from pathlib import Path

from grave_cli.dataset.deliveries import delivery_notes
from grave_cli.errors import ModelError
from grave_cli.rasters.bit_depth import ValueRange
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import Orthophoto, open_orthophoto, source_gsd_m
from grave_cli.rasters.recipe import InputRecipe

_COARSER = 1.2  # an orthophoto this many times coarser than the model's pixels is worth a line
_OTHER_RANGE, _FOREIGN_RANGE = 1.5, 4.0  # ratio of 16-bit ranges that is said, that is refused


def check_fit(
    recipe: InputRecipe, orthophoto: Path, dem: Path | None, grid: WorkingGrid, model: str
) -> tuple[str, ...]:
    """Compare a cemetery with what a model was trained on.

    Args:
        recipe: What the model wants to see.
        orthophoto: The new cemetery.
        dem: Its heights; None when there are none.
        grid: The orthophoto's working grid, at the recipe's GSD.
        model: Its name, for errors.

    Returns:
        What is adapted, a line each.

    Raises:
        ModelError: The model needs heights, or knows other values than those of this orthophoto.
        RasterReadError: A raster cannot be used, or has 16 bits where the model knows 8.
    """
    if recipe.elevation is not None and dem is None:
        raise ModelError(
            f"model {model} needs a DEM",
            where=orthophoto,
            found="none",
            expected=f"heights for {', '.join(recipe.features)}",
            remedy="name it with --dem, or take a model for rgb with --model",
        )
    notes = list(delivery_notes(orthophoto, dem))
    with open_orthophoto(orthophoto) as opened:
        notes += _depth_notes(opened, recipe)
        own_gsd = source_gsd_m(opened.georeference, grid)
    if own_gsd > _COARSER * recipe.gsd_m:
        notes.append(
            f"{orthophoto}: its pixels of {own_gsd:.3f} m are interpolated to the model's "
            f"{recipe.gsd_m:g} m; expect less than the model's scores"
        )
    return tuple(notes)


def _depth_notes(orthophoto: Orthophoto, recipe: InputRecipe) -> list[str]:
    known = recipe.value_range
    if orthophoto.is_eight_bit:
        if known is None:
            return []
        return [
            f"{orthophoto.path}: 8-bit colours are taken as they are, by a model that was trained "
            "on 16-bit ones"
        ]
    if known is None:
        raise orthophoto.refusal()
    ratio = _ratio(orthophoto.own_range, known)
    if ratio > _FOREIGN_RANGE:
        low, high = (f"{value:g}" for value in orthophoto.own_range)
        raise ModelError(
            "values of the orthophoto are not those the model knows",
            where=orthophoto.path,
            found=f"{low} to {high}",
            expected=f"about {known[0]:g} to {known[1]:g}",
            remedy=f"`gdal_translate -scale {low} {high} {known[0]:g} {known[1]:g}` mends it",
        )
    if ratio > _OTHER_RANGE:
        return [
            f"{orthophoto.path}: its values are {ratio:.1f} times off those the model was trained "
            "on; export both alike"
        ]
    return []


def _ratio(own: ValueRange, known: ValueRange) -> float:
    """Compare how wide and how high two ranges are; 1 is alike."""
    widths = (own[1] - own[0]) / (known[1] - known[0])
    tops = own[1] / known[1]
    return max(widths, 1 / widths, tops, 1 / tops)
