"""The report of an examination: one row per cemetery, and findings with a severity."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """Something that stops training (error), may spoil it (warning), or is good to know (note).

    Args:
        severity: error, warning or note.
        cemetery: The cemetery it concerns; empty for the whole data set.
        what: The finding, in a clause.
        remedy: The suggested action; empty if there is none.
    """

    severity: Severity
    cemetery: str
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class CemeteryRow:
    """The row of one cemetery.

    Args:
        name: Cemetery id.
        splits: train, val, test; several if the cemetery is split spatially.
        width_m: East-west extent on the ground.
        height_m: North-south extent on the ground.
        crs: Name of the orthophoto's CRS.
        gsd_m: True size of the orthophoto's own pixels.
        valid_share: Share of the orthophoto with imagery.
        dem_share: Share of that with known heights; None without a DEM.
        dem_low_m: Lowest height; None without a DEM.
        dem_high_m: Highest height; None without a DEM.
        graves: Number of labelled graves.
        median_area_m2: Median of their true areas; None for ground without graves.
    """

    name: str
    splits: tuple[str, ...]
    width_m: float
    height_m: float
    crs: str
    gsd_m: float
    valid_share: float
    dem_share: float | None
    dem_low_m: float | None
    dem_high_m: float | None
    graves: int
    median_area_m2: float | None


@dataclass(frozen=True)
class CheckReport:
    """The fitness of a data set for training.

    Args:
        dataset_id: Fingerprint of the data set; empty if it cannot be read.
        cemeteries: One row per cemetery.
        findings: Errors first, then warnings, then notes.
    """

    dataset_id: str
    cemeteries: tuple[CemeteryRow, ...]
    findings: tuple[Finding, ...]

    @property
    def can_train(self) -> bool:
        """Whether nothing stops a training."""
        return all(finding.severity != "error" for finding in self.findings)
