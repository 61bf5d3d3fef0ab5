"""An orthophoto and the wishes of a user in; its heights, its model and its map out.

The command and the Python function `predict_cemetery` share these steps.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.errors import SettingsError
from grave_cli.progress import Progress
from grave_cli.settings.load import LoadedSettings
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grave_cli.dataset.named_files import HeightFiles
    from grave_cli.mapping.map_files import MapFiles
    from grave_cli.tracking.models import FoundModel
    from grave_cli.vectors.areas import MapBounds

_LISTED = 3  # files that may be the DEM
_SHOWN = ("val/dice", "val/object_f1", "test/object_f1")


@dataclass(frozen=True)
class Extent:
    """The part of an orthophoto to map, and whether an interrupted mapping goes on.

    Args:
        aoi: Polygon file; None maps everything.
        bounds: A rectangle; None maps everything.
        resume: Continue an interrupted prediction of the same orthophoto.
    """

    aoi: Path | None = None
    bounds: "MapBounds | None" = None
    resume: bool = True


@dataclass(frozen=True)
class ChosenHeights:
    """The heights of an orthophoto.

    Args:
        files: The files.
        notes: How they were found, for the user, one line each.
    """

    files: "HeightFiles"
    notes: tuple[str, ...] = ()


def choose_heights(orthophoto: Path, dem: Path | None, dtm: Path | None) -> ChosenHeights:
    """Take the heights that were named, or else those that lie where heights are looked for.

    Args:
        orthophoto: RGB(A) image.
        dem: A named DEM.
        dtm: A named DTM below the DEM.

    Raises:
        DatasetError: There are two DEMs beside the orthophoto.
        SettingsError: A DTM is named, but there is no DEM.
    """
    from grave_cli.dataset.named_files import HeightFiles, sibling_heights, unnamed_heights
    from grave_cli.dataset.odm_project import project_of

    if dem is not None:
        return ChosenHeights(HeightFiles(dem, dtm))
    found = sibling_heights(orthophoto)
    found = HeightFiles(found.dem, dtm or found.dtm)
    if found.dem is None and dtm is not None:
        raise SettingsError(
            "--dtm needs a DEM above it",
            where=dtm,
            found="no DEM beside the orthophoto",
            remedy="name it with --dem",
        )
    others = () if found.dem else unnamed_heights(orthophoto)
    notes = [f"DEM: {found.dem}" if found.dem else _no_dem(others)]
    if found.dtm is not None and dtm is None:
        notes.append(f"DTM: {found.dtm}")
    project = project_of(orthophoto)
    return ChosenHeights(found, (*notes, *(project.notes if project else ())))


def _no_dem(others: "Sequence[Path]") -> str:
    """Say that there is no DEM, with the files that may be one."""
    from grave_cli.dataset.file_kinds import DEM

    if not others:
        return "DEM: none (name one with --dem)"
    usable = [path for path in others if path.suffix.lower() in DEM.endings]
    names = ", ".join(str(path) for path in (usable or others)[:_LISTED])
    if not usable:
        return f"DEM: none; {names}: not read, convert to GeoTIFF and name that with --dem"
    return f"DEM: none; perhaps {names}: if it is of the same place, name it with --dem"


def find_model(
    name: str | None, with_dem: bool, settings: Settings, progress: Progress
) -> "FoundModel":
    """Find the model to map with, and report it.

    Args:
        name: Name of a model; None takes the newest that fits, or the starter.
        with_dem: Whether there is a DEM.
        settings: Tracking store.
        progress: Receives notes.

    Raises:
        ModelError: There is no such model.
        TrackingError: The store does not answer.
    """
    from grave_cli.model.shipped import STARTER
    from grave_cli.tracking.models import own_or_starter, resolve_model

    found = resolve_model(name, settings) if name else own_or_starter(with_dem, settings)
    card = found.bundle.card
    scores = ", ".join(f"{key} {card.metrics[key]:.3f}" for key in _SHOWN if key in card.metrics)
    progress.note(
        f"Model: {found.origin} ({card.recipe.channels}, data {card.dataset_id}, {scores})"
    )
    if found.advice:
        progress.warn(found.advice)
    elif name is None and card.name == STARTER:
        progress.note(
            f"No model of your own fits. {card.about['expect']} To map better, correct the map of "
            "one or two cemeteries and run `gravecli train`"
        )
    return found


def chosen_thresholds(loaded: LoadedSettings, found: "FoundModel") -> DecodingSettings:
    """Take the thresholds of the model, except for thresholds that the user set."""
    chosen = loaded.settings.prediction.decoding.model_dump()
    own = {key: chosen[key] for key in chosen if f"prediction.decoding.{key}" in loaded.origins}
    return found.bundle.card.decoding.model_copy(update=own)


def map_into(
    files: "MapFiles",
    chosen: ChosenHeights,
    model: str | None,
    loaded: LoadedSettings,
    extent: Extent,
    progress: Progress,
) -> None:
    """Map an orthophoto into its files, which are checked first.

    Args:
        files: The orthophoto and the files to write.
        chosen: Its heights.
        model: Name of a model; None takes the newest that fits, or the starter.
        loaded: The settings.
        extent: The part to map.
        progress: Receives progress and notes.

    Raises:
        GraveError: An input cannot be used, or an output cannot be written.
        InUseError: Another process maps into the same files.
    """
    files.check()
    heights, settings = chosen.files, loaded.settings
    with files.alone():
        for note in chosen.notes:
            progress.note(note)
        found = find_model(model, heights.dem is not None, settings, progress)
        from grave_cli.mapping.engine import open_engine
        from grave_cli.mapping.predict_cemetery import predict_cemetery

        if found.bundle.card.recipe.elevation is None and heights.dem is not None:
            progress.note("The model takes rgb only; the DEM is used for grave heights alone")
        predict_cemetery(
            files.orthophoto,
            heights.dem,
            found.bundle,
            open_engine(found.bundle, settings.prediction, progress),
            settings,
            chosen_thresholds(loaded, found),
            progress,
            dtm=heights.dtm,
            aoi=extent.aoi,
            bounds=extent.bounds,
            resume=extent.resume,
            receiver=files,
        )
