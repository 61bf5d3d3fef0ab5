"""The fit of a scene to a model: data that cannot work is refused, adapted data gets a note."""

from grave_cli.dataset.deliveries import delivery_doubts, delivery_notes
from grave_cli.errors import ModelError
from grave_cli.mapping.scene import Scene
from grave_cli.model.bundle import ModelCard
from grave_cli.rasters.bit_depth import FOREIGN_RATIO, ValueRange, range_ratio
from grave_cli.rasters.orthophoto import Orthophoto

_COARSER = 1.2  # an orthophoto this many times coarser than the model's pixels deserves a note
_OTHER_RATIO = 1.5  # of 16-bit ranges: a note


def check_fit(scene: Scene, card: ModelCard) -> tuple[str, ...]:
    """Compare a scene with the data that its model was trained on.

    Args:
        scene: The scene, with the model's recipe.
        card: Description of the model.

    Returns:
        Notes on how the data is adapted, one line each.

    Raises:
        ModelError: The model cannot do without a DEM, or the orthophoto's 16-bit values are out of
            its range.
        RasterReadError: The orthophoto has 16 bits, but the training orthophotos had 8.
    """
    recipe, orthophoto = scene.recipe, scene.orthophoto
    without_heights = recipe.elevation is not None and scene.dem is None
    if without_heights and not card.works_without_dem:
        raise ModelError(
            f"model {card.name} needs a DEM",
            where=orthophoto.path,
            found="none",
            expected=f"heights for {', '.join(recipe.features)}",
            remedy="name it with --dem, or choose an rgb model with --model",
        )
    notes = [*delivery_notes(orthophoto, scene.dem), *delivery_doubts(orthophoto, scene.dem)]
    notes += _depth_notes(orthophoto, recipe.value_range)
    if without_heights:
        notes.append(
            f"{orthophoto.path}: mapped by colours alone, because there is no DEM; the model was "
            "trained with and without heights"
        )
    own_gsd_m = orthophoto.gsd_m(scene.grid)
    if own_gsd_m > _COARSER * recipe.gsd_m:
        notes.append(
            f"{orthophoto.path}: its pixels of {own_gsd_m:.3f} m are interpolated to the model's "
            f"{recipe.gsd_m:g} m; expect lower scores than the model's own"
        )
    return tuple(notes)


def _depth_notes(orthophoto: Orthophoto, known: ValueRange | None) -> list[str]:
    """Compare the bit depth and the range of 16-bit values with those of the training."""
    if orthophoto.is_eight_bit:
        if known is None:
            return []
        return [
            f"{orthophoto.path}: its 8-bit colours are used unscaled by a model that was trained "
            "on 16-bit ones"
        ]
    if known is None:
        raise orthophoto.sixteen_bit_refusal()
    ratio = range_ratio(orthophoto.own_range, known)
    if ratio > FOREIGN_RATIO:
        low, high = (f"{value:g}" for value in orthophoto.own_range)
        raise ModelError(
            "the orthophoto's values are outside of the model's range",
            where=orthophoto.path,
            found=f"{low} to {high}",
            expected=f"about {known[0]:g} to {known[1]:g}",
            remedy=orthophoto.rescaling(known),
        )
    if ratio > _OTHER_RATIO:
        return [
            f"{orthophoto.path}: its range of values differs from the model's by a factor of "
            f"{ratio:.1f}; export all orthophotos with the same settings"
        ]
    return []
