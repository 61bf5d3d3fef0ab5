"""What many cemeteries cost: assumptions and measured rates in, pixels, hours and bytes out."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np

M2_PER_HA = 10_000.0
FILES_ABOVE_MPX = 25.0  # prediction.memory_mpx: larger cemeteries keep probabilities in files
H200_CHIPS_S, CHIP_MPX = 1042.0, 0.256**2
"""Training steps of batch 32 with chips of 256 px on an NVIDIA H200 (docs/performance.md)."""

_MEASURED = "docs/performance.md, arithmetic.py"


def _noted(default: float, note: str) -> Any:
    return field(default=default, metadata={"note": note})


class Numbers:
    """Numbers with a note each, as options of a command."""

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add an option for each number."""
        for one in fields(cls):  # type: ignore[arg-type]
            option = f"--{one.name.replace('_', '-')}"
            note = one.metadata["note"].replace("%", "%%")
            parser.add_argument(
                option, type=float, default=one.default, help=f"{note} (%(default)s)"
            )

    @classmethod
    def chosen(cls, options: argparse.Namespace) -> Self:
        """Take the numbers from the options."""
        return cls(**{one.name: getattr(options, one.name) for one in fields(cls)})  # type: ignore[arg-type]

    def rows(self) -> list[list[object]]:
        """List the numbers with their notes."""
        return [
            [one.name, getattr(self, one.name), one.metadata["note"]]
            for one in fields(self)  # type: ignore[arg-type]
        ]


@dataclass(frozen=True)
class Survey(Numbers):
    """What is flown: assumptions, none of which gravecli knows.

    Source:
        35,000 ha: https://www.aeternitas.de/fuer-betroffene/verein/presse/pressemitteilungen/detail/deutschlands-friedhoefe-muessen-schrumpfen
        32,000 cemeteries: https://www.domradio.de/themen/bist%C3%BCmer/2017-08-02/jeder-dritte-deutsche-friedhof-kirchlicher-hand
        32 million graves: https://bgm-duesseldorf.de/BGMNews-marktblatt-happy-end-auf-vier-quadratmetern-246.html
    """

    median_ha: float = _noted(
        0.67,
        "median area of a cemetery, ha: gives a mean of 1.1 ha, as about 35,000 ha on about 32,000 "
        "cemeteries in Germany (Aeternitas)",
    )
    spread: float = _noted(1.0, "standard deviation of the logarithm of the area: assumed")
    margin: float = _noted(1.5, "area of the orthophoto, in areas of the cemetery: assumed")
    gsd_m: float = _noted(0.02, "pixel of the orthophoto, m: assumed")
    graves_per_ha: float = _noted(
        900.0, "graves on a hectare: about 32 million on those 35,000 ha (FDF/BDF)"
    )

    def draw_hectares(self, count: int, seed: int = 0) -> np.ndarray:
        """Draw the areas of cemeteries, log-normal."""
        random = np.random.default_rng(seed)
        return self.median_ha * np.exp(self.spread * random.standard_normal(count))


@dataclass(frozen=True)
class Rates(Numbers):
    """What a cemetery costs: measured."""

    cemetery_s: float = _noted(0.04, f"core-seconds of each cemetery: {_MEASURED}")
    source_mpx_s: float = _noted(0.041, f"core-seconds of each Mpx of the orthophoto: {_MEASURED}")
    working_mpx_s: float = _noted(1.63, f"core-seconds of each working Mpx: {_MEASURED}")
    grave_s: float = _noted(
        0.0013, "core-seconds of each grave: docs/performance.md, 80,256 graves, 27 November"
    )
    start_s: float = _noted(
        0.92, "seconds until a process can map: docs/performance.md, startup.py"
    )
    driver_s: float = _noted(
        0.006, "core-seconds of the driver of --ray for each cemetery: scheduling.py --replay"
    )
    source_px_bytes: float = _noted(
        1.7, "bytes of each pixel: a real drone orthophoto, RGBA, deflate (JPEG: 0.35 to 0.5)"
    )
    read_share: float = _noted(1.6, f"bytes read for each byte of the orthophoto: {_MEASURED}")
    map_bytes: float = _noted(257e3, f"bytes of a map without graves: {_MEASURED}")
    grave_bytes: float = _noted(4140.0, f"bytes of each grave on a map: {_MEASURED}")
    scratch_px_bytes: float = _noted(
        3.0, "bytes of scratch for each working pixel: docs/performance.md, memory.py"
    )
    working_gsd_m: float = _noted(0.04, "pixel of the working grid, m: the default of grid.gsd_m")


@dataclass(frozen=True)
class Bill:
    """What cemeteries cost.

    Args:
        hectares: Area of each.
        source_mpx: Pixels of each orthophoto.
        working_mpx: Working pixels of each.
        graves: Graves on each.
        parts_h: Core hours of all by their cause.
        core_s: Core-seconds of each.
        input_bytes: Orthophotos and DEMs, all.
        read_bytes: What is read of them, all.
        map_bytes: The maps, all.
        scratch_bytes: Scratch of each, while it is mapped.
    """

    hectares: np.ndarray
    source_mpx: np.ndarray
    working_mpx: np.ndarray
    graves: np.ndarray
    parts_h: dict[str, float]
    core_s: np.ndarray
    input_bytes: float
    read_bytes: float
    map_bytes: float
    scratch_bytes: np.ndarray

    @property
    def core_h(self) -> float:
        """Core hours of all."""
        return float(self.core_s.sum() / 3600)

    @property
    def network_bytes(self) -> float:
        """What crosses the network if all files lie on a server: input, maps, scratch."""
        return self.read_bytes + self.map_bytes + 2 * float(self.scratch_bytes.sum())

    def scratch_at_once(self, slots: int) -> float:
        """Return the largest scratch of all nodes together: the largest cemeteries at a time."""
        return float(np.sort(self.scratch_bytes)[::-1][:slots].sum())

    def h200_hours_at_most(self, overlap: float = 1.5) -> float:
        """Bound the hours of an H200 for the model alone.

        A training step holds a prediction, so it takes no less. Reading, copying to the GPU, and
        graves are not in it.

        Args:
            overlap: Computed pixels for each working pixel, since tiles overlap.
        """
        return float(self.working_mpx.sum()) * overlap / (H200_CHIPS_S * CHIP_MPX) / 3600


def add_up(hectares: np.ndarray, survey: Survey, rates: Rates) -> Bill:
    """Add up what cemeteries cost.

    Args:
        hectares: Area of each.
        survey: How they are flown.
        rates: What they cost.
    """
    area_m2 = hectares * M2_PER_HA * survey.margin
    source_mpx = area_m2 / survey.gsd_m**2 / 1e6
    working_mpx = area_m2 / rates.working_gsd_m**2 / 1e6
    graves = hectares * survey.graves_per_ha
    parts_s = {
        "working pixels, mostly the model": rates.working_mpx_s * working_mpx,
        "pixels of the orthophotos": rates.source_mpx_s * source_mpx,
        "graves": rates.grave_s * graves,
        "each cemetery": np.full(len(hectares), rates.cemetery_s),
    }
    by_size = sorted(parts_s, key=lambda part: -parts_s[part].sum())
    input_bytes = float(source_mpx.sum()) * 1e6 * rates.source_px_bytes
    return Bill(
        hectares,
        source_mpx,
        working_mpx,
        graves,
        {part: float(parts_s[part].sum() / 3600) for part in by_size},
        np.sum(list(parts_s.values()), axis=0),
        input_bytes,
        input_bytes * rates.read_share,
        float((rates.map_bytes + rates.grave_bytes * graves).sum()),
        np.where(working_mpx > FILES_ABOVE_MPX, working_mpx * 1e6 * rates.scratch_px_bytes, 0.0),
    )


def sensitivity(
    count: int, survey: Survey, rates: Rates, seed: int = 0
) -> list[tuple[str, float, float]]:
    """Change one assumption at a time.

    Returns:
        The change, and core hours and bytes read in units of those without it.
    """
    changes: Sequence[tuple[str, Survey, Rates]] = (
        ("cemeteries twice as large", replace(survey, median_ha=2 * survey.median_ha), rates),
        ("spread of 1.5", replace(survey, spread=1.5), rates),
        ("orthophotos cut to the cemetery", replace(survey, margin=1.0), rates),
        ("pixels of the orthophoto half as wide", replace(survey, gsd_m=survey.gsd_m / 2), rates),
        ("pixels of the orthophoto twice as wide", replace(survey, gsd_m=2 * survey.gsd_m), rates),
        (
            "working pixels half as wide",
            survey,
            replace(rates, working_gsd_m=rates.working_gsd_m / 2),
        ),
        ("twice as many graves", replace(survey, graves_per_ha=2 * survey.graves_per_ha), rates),
        (
            "working pixels computed twice as fast",
            survey,
            replace(rates, working_mpx_s=rates.working_mpx_s / 2),
        ),
    )
    base = add_up(survey.draw_hectares(count, seed), survey, rates)
    found = []
    for name, other_survey, other_rates in changes:
        bill = add_up(other_survey.draw_hectares(count, seed), other_survey, other_rates)
        found.append((name, bill.core_h / base.core_h, bill.read_bytes / base.read_bytes))
    return found
