"""Annotations on images in, one annotation file for each cemetery out, in its orthophoto's CRS."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from affine import Affine

from grave_cli.dataset.file_kinds import ANNOTATIONS
from grave_cli.dataset.named_files import find_files
from grave_cli.errors import DatasetError
from grave_cli.exchange import voc
from grave_cli.exchange.annotation_file import Annotations, annotation_output, write_annotations
from grave_cli.exchange.drawing import Drawing, Image, choose
from grave_cli.exchange.image_places import ImagePlaces, Place, version_of
from grave_cli.exchange.pieces import Piece, whole_graves
from grave_cli.exchange.read_drawing import read_drawing
from grave_cli.outputs import checked_outputs, seal, source_of
from grave_cli.settings.output import Language
from grave_cli.vectors.outline_repair import Findings, clean_outlines
from grave_cli.wording import counted

_BEYOND = 0.02  # of the image's longer side: annotations that reach further are on another image
_LEAST_PX = 1.0  # smaller outlines are slips of the mouse


@dataclass(frozen=True)
class ImportedFile:
    """The annotations of a cemetery, written.

    Args:
        cemetery: Its name.
        path: The file.
        graves: Number of graves.
        boxes: Those of them that were drawn as boxes.
    """

    cemetery: str
    path: Path
    graves: int
    boxes: int


@dataclass(frozen=True)
class Imported:
    """The result of an import.

    Args:
        tool: The format in words.
        files: The files, by name of their cemetery.
        notes: Boxes, repairs and omissions, one line each.
    """

    tool: str
    files: tuple[ImportedFile, ...]
    notes: tuple[str, ...]


def import_annotations(
    source: Path,
    orthophotos: Path,
    out: Path,
    categories: Collection[str] = (),
    *,
    overwrite: bool = False,
    language: Language = "en",
) -> Imported:
    """Import annotations; all is checked before the first file is written.

    Args:
        source: COCO, Label Studio or Pascal VOC.
        orthophotos: Folder of the orthophotos, or of chips.
        out: Folder of the annotation files.
        categories: The categories of graves; without any, there must be one.
        overwrite: Also replace files that gravecli would keep.
        language: Language of titles and descriptions.

    Raises:
        DatasetError: The annotations cannot be read, or do not belong to the images.
        ExportError: A file cannot be written, or would be lost.
        InUseError: Another process makes one of them.
        GridError: An orthophoto has no usable CRS or geotransform.
        RasterReadError: It cannot be opened.
    """
    drawing = choose(read_drawing(source), categories, source)
    places = ImagePlaces(orthophotos)
    found, notes = _placed(drawing, places, source)
    origin = _fingerprint(source)
    paths = {one.cemetery: out / f"{one.cemetery}.gpkg" for one in found}
    _refuse_second_files(out, paths)
    given = {"SOURCE": None if source.is_dir() else source}
    # Only a GeoPackage can bear the name of an annotation file.
    rasters = [path for path in places.files if path.suffix.lower() == ".gpkg"]
    given |= {f"orthophoto {path.name}": path for path in rasters}
    outputs = [annotation_output(path, origin) for path in paths.values()]
    with checked_outputs(outputs, given, overwrite=overwrite):
        for one in found:
            write_annotations(one, paths[one.cemetery], source.name, origin, language)
    files = tuple(
        ImportedFile(one.cemetery, paths[one.cemetery], len(one.outlines), int(sum(one.boxes)))
        for one in found
    )
    boxes, graves = (sum(getattr(file, name) for file in files) for name in ("boxes", "graves"))
    if boxes:
        notes.append(
            f"{boxes} of {counted(graves, 'grave')} drawn as boxes: they are rectangles along the "
            "sides of the image, larger than a grave that lies askew"
        )
    return Imported(drawing.tool, files, tuple(notes))


def _placed(
    drawing: Drawing, places: ImagePlaces, where: Path
) -> tuple[list[Annotations], list[str]]:
    """Move all annotations to the ground, cemetery by cemetery."""
    notes = list(drawing.notes)
    pieces: dict[str, list[Piece]] = {}
    place_of: dict[str, Place] = {}
    shown: dict[Place, str] = {}
    blank = 0
    for image in drawing.images:
        blank += not image.shapes
        if not image.shapes:
            continue
        place = _find(places, image, where)
        _refuse_versions(shown.setdefault(place, image.name), image.name, where)
        place_of.setdefault(place.cemetery, place)
        own = pieces.setdefault(place.cemetery, [])
        own += _pieces(image, place, where, notes)
    if blank:
        notes.append(f"{counted(blank, 'image')} without annotations left out")
    found = [_finish(place_of[name], pieces[name], notes, where) for name in sorted(pieces)]
    return found, notes


def _find(places: ImagePlaces, image: Image, where: Path) -> Place:
    place = places.find(image.name)
    if place is None:
        raise DatasetError(
            "no orthophoto for an annotated image",
            where=where,
            found=image.name,
            expected=f"a file of the same name, apart from its ending, among {places.listing}",
            remedy="name the folder with --orthophotos",
        )
    return place


def _refuse_versions(first: str, name: str, where: Path) -> None:
    """Refuse a second version of an image, whose annotations may lie elsewhere.

    Roboflow turns and mirrors images, and exports several versions of each; images of one name may
    lie in several folders.
    """
    if version_of(first) != version_of(name):
        raise DatasetError(
            "two annotated images belong to one orthophoto or chip",
            where=where,
            found=f"{first} and {name}",
            expected="one version of each image",
            remedy="export them without augmentation, or give images of different places different "
            "names",
        )


def _pieces(image: Image, place: Place, where: Path, notes: list[str]) -> list[Piece]:
    across, down = place.scale_of(image.size, image.name, where)
    if (across, down) != (1.0, 1.0):
        notes.append(
            f"{image.name} was annotated at {1 / across:.3g} times the size of the orthophoto"
        )
    column, row = place.offset or (0, 0)
    frame = shapely.box(column, row, column + place.columns, row + place.rows)
    shift = Affine(across, 0, column, 0, down, row)
    outlines = [_moved(part, shift) for shape in image.shapes for part in shape.parts]
    _refuse_beyond(outlines, frame, image, where)
    owners = [shape for shape in image.shapes for _ in shape.parts]
    several = sum(len(shape.parts) > 1 for shape in image.shapes)
    if several:
        words = counted(several, "annotation")
        notes.append(f"{image.name}: {words} in several parts, each of which became a grave")
    return [
        Piece(outline, frame, shape.category, image.name, shape.is_box)
        for outline, shape in zip(outlines, owners, strict=True)
    ]


def _refuse_beyond(
    outlines: Iterable[shapely.Polygon], frame: shapely.Polygon, image: Image, where: Path
) -> None:
    left, top, right, bottom = frame.bounds
    reach = frame.buffer(_BEYOND * max(right - left, bottom - top), join_style="mitre")
    for outline in outlines:
        if not reach.covers(shapely.box(*outline.bounds)):
            x, y, x_end, y_end = np.array(outline.bounds) - (left, top, left, top)
            raise DatasetError(
                f"an annotation lies outside of its image {image.name}",
                where=where,
                found=f"columns {x:.5g} to {x_end:.5g}, rows {y:.5g} to {y_end:.5g}",
                expected=f"an image of {right - left:.0f} x {bottom - top:.0f} pixels",
                remedy="it was probably drawn on another image of that name",
            )


def _finish(place: Place, pieces: list[Piece], notes: list[str], where: Path) -> Annotations:
    """Repair the outlines of a cemetery, join those of chips, and move them to the ground."""
    on_chips = place.offset is not None
    kept, findings = _cleaned(pieces, drop_duplicates=not on_chips)
    if on_chips:
        kept, again = _cleaned(whole_graves(kept), drop_duplicates=True)
        counts = {"duplicates": again.duplicates, "overlapping": again.overlapping}
        findings = replace(findings, **counts)
    notes += [f"{place.cemetery}: {sentence}" for sentence in findings.sentences()]
    if not kept:
        raise DatasetError(f"no annotation of {place.cemetery} has an area", where=where)
    return Annotations(
        place.cemetery,
        place.crs,
        np.array([_moved(piece.outline, place.transform) for piece in kept], dtype=object),
        [piece.category for piece in kept],
        [piece.image for piece in kept],
        [piece.is_box for piece in kept],
    )


def _cleaned(pieces: list[Piece], *, drop_duplicates: bool) -> tuple[list[Piece], Findings]:
    outlines = np.array([piece.outline for piece in pieces], dtype=object)
    clean = clean_outlines(outlines, min_area=_LEAST_PX, drop_duplicates=drop_duplicates)
    kept = [
        replace(pieces[index], outline=outline)
        for outline, index in zip(clean.polygons, clean.source, strict=True)
    ]
    return kept, clean.findings


def _moved(outline: shapely.Polygon, transform: Affine) -> shapely.Polygon:
    a, b, c, d, e, f = tuple(transform)[:6]
    moved: shapely.Polygon = shapely.transform(
        outline,
        lambda p: np.stack([a * p[:, 0] + b * p[:, 1] + c, d * p[:, 0] + e * p[:, 1] + f], axis=1),
    )
    return moved


def _refuse_second_files(out: Path, paths: dict[str, Path]) -> None:
    """Refuse to write a second annotation file for a cemetery, which no command would read."""
    if not out.is_dir():
        return
    there, _ = find_files(out, ANNOTATIONS)
    for cemetery, path in paths.items():
        other = there.get(cemetery, path)
        if other.name != path.name:
            raise DatasetError(
                f"cemetery {cemetery} has annotations",
                where=other,
                expected=f"no other file than {path.name}",
                remedy="move it away, or name another folder with --out",
            )


def _fingerprint(source: Path) -> str:
    if source.is_dir():
        return seal(*map(source_of, voc.files_in(source)))[:16]
    return source_of(source)
