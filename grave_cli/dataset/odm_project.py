"""A folder of OpenDroneMap or WebODM in, its orthophoto and heights out.

    <project>/odm_orthophoto/odm_orthophoto.tif
    <project>/odm_dem/dsm.tif      if it was asked for (--dsm)
    <project>/odm_dem/dtm.tif      if it was asked for (--dtm)

WebODM packs these folders into <task>-all.zip, and keeps those of a task in a folder `assets`.

Source:
    https://docs.opendronemap.org/outputs/
"""

import os
from dataclasses import dataclass
from pathlib import Path

from grave_cli.dataset.file_kinds import composed

_ORTHOPHOTO = Path("odm_orthophoto", "odm_orthophoto.tif")
_DSM, _DTM = Path("odm_dem", "dsm.tif"), Path("odm_dem", "dtm.tif")
_ASSETS = "assets"
_ARCHIVE_END = "-all"


@dataclass(frozen=True)
class OdmProject:
    """The files of a project that gravecli reads.

    Args:
        folder: The project.
        name: Cemetery id: the name of the project.
        orthophoto: RGBA image.
        dem: Heights of the surface; None without them.
        dtm: Heights of the ground; None without a surface above it.
        lone_dtm: Heights of the ground without a surface: they show no graves and are not used.
    """

    folder: Path
    name: str
    orthophoto: Path
    dem: Path | None
    dtm: Path | None
    lone_dtm: Path | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on files that are not used, one line each."""
        if self.lone_dtm is None:
            return ()
        return (
            f"{self.lone_dtm} is not used: a DTM shows no graves; run OpenDroneMap with --dsm for "
            "heights",
        )


def read_project(folder: Path) -> OdmProject | None:
    """Read the folder of a project, or of a task of WebODM; None for any other folder.

    Args:
        folder: The project, or a folder with the project in `assets`.
    """
    for place in (folder, folder / _ASSETS):
        if os.path.isfile(place / _ORTHOPHOTO):
            dsm, dtm = (
                place / path if os.path.isfile(place / path) else None for path in (_DSM, _DTM)
            )
            pair = (dsm, dtm, None) if dsm else (None, None, dtm)
            return OdmProject(place, _name(place), place / _ORTHOPHOTO, *pair)
    return None


def project_of(orthophoto: Path) -> OdmProject | None:
    """Return the project of an orthophoto; None if it is not in one."""
    for place in (orthophoto, orthophoto.absolute()):  # a relative name is kept if it says enough
        if place.parts[-2:] == _ORTHOPHOTO.parts:
            return read_project(place.parent.parent)
    return None


def _name(folder: Path) -> str:
    place = Path(os.path.abspath(folder))
    if place.name == _ASSETS:
        place = place.parent
    name = composed(place.name)
    return name.removesuffix(_ARCHIVE_END) or name
