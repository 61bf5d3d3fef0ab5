"""What the preflight doctor hands out: a row per cemetery, and findings with a severity."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """Something that stops training (error), will spoil it (warning), or is good to know (note).

    Args:
        severity: How bad it is.
        cemetery: Whom it is about; empty for the whole data set.
        what: What was found, in a clause.
        remedy: What to do about it; empty when nothing needs to be done.
    """

    severity: Severity
    cemetery: str
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class CemeteryRow:
    """A cemetery in the table.

    Args:
        name: Cemetery id.
        splits: train, val, test; several when it is split spatially.
        width_m: East-west extent on the ground.
        height_m: North-south extent on the ground.
        crs: Name of the orthophoto's CRS.
        gsd_m: True size of the orthophoto's own pixels.
        valid_share: Share of it that shows something.
        dem_share: Share of that for which heights are known; None without a DEM.
        dem_low_m: Lowest height; None without a DEM.
        dem_high_m: Highest height; None without a DEM.
        graves: Labelled graves.
        median_area_m2: Median of their true areas.
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
    median_area_m2: float


@dataclass(frozen=True)
class CheckReport:
    """How fit a data set is for training.

    Args:
        dataset_id: Its fingerprint; empty when it has none.
        cemeteries: The table.
        findings: Errors first, then warnings, then notes.
    """

    dataset_id: str
    cemeteries: tuple[CemeteryRow, ...]
    findings: tuple[Finding, ...]

    @property
    def can_train(self) -> bool:
        """Tell whether nothing stops a training."""
        return all(finding.severity != "error" for finding in self.findings)
