"""A data folder in, chips and their labels in the format of other programs out."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from grave_cli import __version__
from grave_cli.atomic_writes import whole_folder
from grave_cli.dataset.identity.dataset_id import dataset_id
from grave_cli.dataset.manifest import manifest_of, unread_notes
from grave_cli.errors import DatasetError, ExportError, SettingsError
from grave_cli.exchange.chip_index import Chip, ChipGrid, ChipIndex, write_chip_index
from grave_cli.exchange.chip_labels import LABEL_FORMATS, LabelFormat, image_path, labels_of
from grave_cli.exchange.chip_sources import ChipSource, split_sources, whole_sources
from grave_cli.outputs import written_alone
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.orthophoto_pixels import open_orthophoto
from grave_cli.settings.tree import Settings
from grave_cli.wording import counted

SIZES_PX = (64, 4096)


@dataclass(frozen=True)
class ExportedChips:
    """The result of an export.

    Args:
        folder: The folder.
        dataset_id: Id of the data set.
        chips: Number of chips by split.
        annotations: Number of annotations by split; a grave on two chips counts twice.
    """

    folder: Path
    dataset_id: str
    chips: dict[str, int]
    annotations: dict[str, int]


def check_chips(form: str, size_px: int, overlap_px: int) -> LabelFormat:
    """Check what is wanted, and return the format.

    Raises:
        SettingsError: There is no such format, or the sizes are out of bounds.
    """
    least, most = SIZES_PX
    if not least <= size_px <= most or size_px % 32:
        raise SettingsError(
            "--size-px is out of bounds",
            found=size_px,
            expected=f"a multiple of 32 from {least} to {most}",
        )
    if not 0 <= overlap_px <= size_px // 2:
        raise SettingsError(
            "--overlap-px is out of bounds",
            found=overlap_px,
            expected=f"0 to {size_px // 2}, half of --size-px",
        )
    for known in LABEL_FORMATS:
        if known == form:
            return known
    raise SettingsError("no such format", found=form, expected=" or ".join(LABEL_FORMATS))


def check_folder(out: Path, data: Path) -> None:
    """Refuse a folder with content: files of somebody's annotation project could be among it.

    Raises:
        ExportError: It has content, is a file, is the working directory, or lies in the data
            folder.
    """
    if out.resolve() == data.resolve() or data.resolve() in out.resolve().parents:
        raise ExportError(
            "chips cannot lie in the data folder they are cut from",
            where=out,
            remedy="choose another folder for --out",
        )
    if out.resolve() == Path.cwd():  # it is replaced as a whole
        raise ExportError(
            "chips cannot be written to the working directory itself",
            where=out,
            expected="the name of a new folder",
            remedy="choose another name for --out, such as chips",
        )
    try:
        full = out.is_dir() and any(out.iterdir())
    except OSError as error:
        raise ExportError(f"cannot be written: {error.strerror}", where=out) from None
    if full or (out.exists() and not out.is_dir()):
        raise ExportError(
            "folder is not empty" if full else "not a folder",
            where=out,
            expected="the name of a new folder",
            remedy="choose another name for --out, or move it away",
        )


def export_chips(
    settings: Settings,
    form: LabelFormat,
    out: Path,
    size_px: int,
    overlap_px: int,
    *,
    by_split: bool = True,
    progress: Progress = SILENT,
) -> ExportedChips:
    """Cut the orthophotos of a data folder into chips and write their labels.

    The folder appears whole, or not at all.

    Args:
        settings: Data folder, GSD, cemeteries of each split.
        form: Format of the labels.
        out: The folder; it is new or empty.
        size_px: Edge of a chip in working pixels.
        overlap_px: Overlap of neighbouring chips.
        by_split: Cut the parts of each split, as a training uses them; otherwise whole cemeteries,
            also those without labels.
        progress: Receives notes, and counts chips.

    Raises:
        DatasetError: The data folder cannot be used.
        ExportError: The folder cannot be written.
        GridError: No working grid can be laid on an orthophoto.
        InUseError: Another process makes the folder.
        RasterReadError: An orthophoto cannot be used.
    """
    check_folder(out, settings.data.root)
    with written_alone(out):
        check_folder(out, settings.data.root)  # another process may have made it just now
        return _export(settings, form, out, size_px, overlap_px, by_split, progress)


def _export(
    settings: Settings,
    form: LabelFormat,
    out: Path,
    size_px: int,
    overlap_px: int,
    by_split: bool,
    progress: Progress,
) -> ExportedChips:
    manifest = manifest_of(settings.data)
    for note in unread_notes(manifest):
        progress.warn(note)
    if by_split:
        sources = split_sources(manifest, settings, progress)
    else:
        sources = whole_sources(manifest, settings, progress)
    identity = dataset_id(manifest)
    labels = labels_of(form, f"Graves of data set {identity}, cut by gravecli {__version__}")
    chips: list[Chip] = []
    place = Path(os.path.realpath(out))  # a symbolic link stays
    _remove_empty(place)
    with whole_folder(place) as folder:
        for source, chip, rgb in _cut(sources, form, size_px, overlap_px, progress):
            path = folder / chip.file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.moveaxis(rgb, 0, 2)).save(path)
            outlines = source.outlines(chip)
            chip = chip.model_copy(update={"annotations": len(outlines)})
            labels.add(chip, outlines)
            chips.append(chip)
        if not chips:
            raise DatasetError("orthophotos show nothing", where=settings.data.root)
        labels.write(folder)
        grids = {source.cemetery: _grid(source) for source in sources}
        gsd_m = settings.grid.gsd_m
        index = ChipIndex(dataset_id=identity, gsd_m=gsd_m, grids=grids, chips=tuple(chips))
        write_chip_index(folder, index)
    counts, graves = Counter(chip.split for chip in chips), Counter[str]()
    for chip in chips:
        graves[chip.split] += chip.annotations
    return ExportedChips(out, identity, dict(counts), dict(graves))


def _remove_empty(folder: Path) -> None:
    """Remove a folder that exists; it is empty, or it was refused."""
    if not folder.is_dir():
        return
    try:
        folder.rmdir()
    except OSError as error:  # such as a drive
        raise ExportError(
            f"cannot be replaced: {error.strerror}",
            where=folder,
            remedy="choose another name for --out, such as a new folder in it",
        ) from None


def _cut(
    sources: list[ChipSource], form: LabelFormat, size_px: int, overlap_px: int, progress: Progress
) -> Iterator[tuple[ChipSource, Chip, NDArray[np.uint8]]]:
    """Yield the chips that show something."""
    planned = [(source, list(source.places(size_px, overlap_px))) for source in sources]
    total = sum(len(places) for _, places in planned)
    with progress.task(f"Cutting {counted(total, 'chip')}", total, "chips") as advance:
        for source, places in planned:
            with open_orthophoto(source.orthophoto) as reader:
                for column, row in places:
                    name = f"{source.cemetery}_{row:06d}_{column:06d}"
                    chip = Chip(
                        file=str(image_path(name, source.split, form)),
                        split=source.split,
                        cemetery=source.cemetery,
                        column=column,
                        row=row,
                        size_px=size_px,
                    )
                    rgb = source.read(reader, chip)
                    advance(1)
                    if rgb is not None:
                        yield source, chip, rgb


def _grid(source: ChipSource) -> ChipGrid:
    a, b, c, d, e, f = tuple(source.grid.transform)[:6]
    return ChipGrid(crs=source.grid.crs, transform=(a, b, c, d, e, f))
