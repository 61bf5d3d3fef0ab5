"""Settings of a map: prediction, separation of graves, outlines, review.

A field's docstring is the comment in `config.example.toml` and the text of `gravecli config`.
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from grave_cli.settings.section import PositiveMetres, Section, Share

Flag = Literal[
    "edge",
    "nodata",
    "occluded",
    "size_outlier",
    "shape_outlier",
    "possible_merge",
    "possible_split",
    "low_confidence",
]
"""What can be said of a grave that may be wrong."""

FLAGS: tuple[Flag, ...] = get_args(Flag)


class DecodingSettings(Section):
    """How probabilities become single graves; a trained model carries its own."""

    body_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability of body from which a pixel can belong to a grave."""

    seed_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.85
    """Level of body x (1 - contact) x (1 - border / 2) from which a pixel can start a grave."""

    seed_floor: Annotated[float, Field(gt=0, lt=1)] = 0.55
    """Down to this level, in steps of 0.1, what holds no seed yet can start a grave, too."""

    min_seed_area_m2: Annotated[float, Field(ge=0, le=100)] = 0.02
    """Smaller seeds are taken for noise, in square metres."""

    min_peak_body: Share = 0.95
    """Graves of which not even a tenth reaches this probability of body are left out."""

    min_area_m2: Annotated[float, Field(ge=0, le=10_000)] = 0.1
    """Smaller graves are left out, in square metres (an urn grave has 0.16 and more)."""


class PredictionSettings(Section):
    """How an orthophoto is mapped."""

    tile_px: Annotated[int, Field(ge=0, le=4096, multiple_of=32)] = 0
    """Edge of the tiles the network sees, halo included, in working pixels; 0: what was measured
    to be fastest on this machine."""

    halo_px: Annotated[int, Field(ge=0, le=512)] = 48
    """Border of each tile that only gives context, in working pixels."""

    batch_size: Annotated[int, Field(ge=0, le=256)] = 0
    """Tiles computed at once; 0: as many as goes with tile_px = 0."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to predict."""

    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Threads that compute on a CPU; 0: OMP_NUM_THREADS if that is set, else one per core."""

    tta: Literal[1, 4, 8] = 1
    """Orientations in which each tile is looked at, the mean of which counts: 1, 4 (flips) or 8
    (flips and quarter turns). Takes as many times longer."""

    memory_mpx: Annotated[float, Field(ge=0, le=1000)] = 25
    """Probabilities of up to so many working megapixels are held in memory (3 MB each); those of
    larger cemeteries lie in work_dir/cache meanwhile, where a killed prediction is resumed."""

    decoding: DecodingSettings = DecodingSettings()

    @model_validator(mode="after")
    def _check_halo(self) -> Self:
        if self.tile_px and self.tile_px - 2 * self.halo_px < 32:
            raise ValueError("tile_px must exceed twice halo_px by at least 32")
        return self


class OutlineSettings(Section):
    """How single graves become polygons."""

    rectangle_iou: Share = 0.85
    """Overlap (IoU) of an outline with its rectangle from which the rectangle is drawn."""

    orthogonal_iou: Share = 0.9
    """Overlap (IoU) of any other outline with its form at right angles from which that is drawn."""

    simplify_m: Annotated[float, Field(ge=0, le=5)] = 0.06
    """Tolerance of the simplification of other outlines, in metres."""

    snap_m: Annotated[float, Field(ge=0, le=1)] = 0.06
    """Graves turn into their row's direction when that moves their ends by no more than this, in
    metres; 0: none does."""

    row_radius_m: PositiveMetres = 5.0
    """Distance within which graves belong to one row, in metres."""

    shared_gap_m: Annotated[float, Field(ge=0, le=1)] = 0.04
    """Gaps between neighbours up to this width are closed: they share their side then, which moves
    by no more than this, in metres."""


class ReviewSettings(Section):
    """Which graves somebody should look at: those that carry a flag."""

    min_confidence: Share = 0.6
    """Confidence below which a grave is flagged low_confidence."""

    size_range_m2: tuple[float, float] = (0.15, 20.0)
    """A grave whose area lies outside of this range is a size_outlier, in square metres."""

    size_deviation: Annotated[float, Field(gt=0, le=100)] = 4.0
    """A size_outlier, too, is a grave whose area is as many spreads (robust, of the logarithms) off
    the cemetery's median, unless several others are as large."""

    min_fit: Share = 0.75
    """A grave whose outline overlaps its rectangle by less (IoU) is a shape_outlier."""

    max_elongation: Annotated[float, Field(gt=1, le=100)] = 5.0
    """So is one that is as many times longer than wide."""

    second_seed_share: Share = 0.25
    """A grave is a possible_merge when of its pixels that are surely within one grave this share
    lies apart from the others."""

    line_inside: Share = 0.4
    """A possible_merge, too, is a grave through which this share of a line between graves runs."""

    unsure_share: Share = 0.25
    """A grave of irregular shape is taken for occluded from this share of doubtful pixels."""

    nodata_share: Share = 0.05
    """Share of a grave's rim beyond which the orthophoto shows nothing, from which it is flagged
    nodata."""

    without_review: tuple[Flag, ...] = ("possible_split",)
    """Flags that are set but call for no review: double graves are often drawn as two, rightly."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if not 0 <= self.size_range_m2[0] < self.size_range_m2[1]:
            raise ValueError("size_range_m2 must be (lower, upper) with 0 <= lower < upper")
        return self
