"""Settings of a map: prediction, separation of graves, outlines, review.

A field's docstring is its help text and its comment in `config.example.toml`.
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from grave_cli.settings.section import OnResume, PositiveMetres, Section, Share

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
"""Reasons to doubt a grave."""

FLAGS: tuple[Flag, ...] = get_args(Flag)


class DecodingSettings(Section):
    """Thresholds that separate single graves in the probabilities.

    A trained model brings its own; values set here take precedence.
    """

    on_resume = OnResume.FIXED

    body_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Minimum body probability of a pixel that belongs to a grave. Lower values give larger
    outlines."""

    seed_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.85
    """Minimum certainty, body x (1 - contact) x (1 - border / 2), of a pixel that starts a grave.
    Higher values separate touching graves better but split single graves more easily."""

    seed_floor: Annotated[float, Field(gt=0, lt=1)] = 0.55
    """Lowest certainty at which part of a body region starts a grave of its own. Seeds are searched
    from seed_threshold down to this value, in steps of 0.1. A region without a seed is one
    grave."""

    min_seed_area_m2: Annotated[float, Field(ge=0, le=100)] = 0.02
    """Ignore seeds smaller than this as noise, in square metres."""

    min_peak_body: Share = 0.95
    """Drop a grave if less than a tenth of its pixels reach this body probability. Higher values
    drop more doubtful graves."""

    min_area_m2: Annotated[float, Field(ge=0, le=10_000)] = 0.1
    """Drop graves smaller than this, in square metres. An urn grave has 0.16 or more."""


class PredictionSettings(Section):
    """Prediction: tiles, device and memory."""

    on_resume = OnResume.MAY_CHANGE

    tile_px: Annotated[int, Field(ge=0, le=4096, multiple_of=32)] = 0
    """Edge of the tiles that the network sees, halo included, in working pixels (a multiple of 32).
    0 means the fastest size on this machine."""

    halo_px: Annotated[int, Field(ge=0, le=512)] = 48
    """Border of each tile that only gives context and is discarded, in working pixels."""

    batch_size: Annotated[int, Field(ge=0, le=256)] = 0
    """Tiles computed at once. 0 means as many as suit the tile size."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device for prediction. "auto": a GPU if there is one, otherwise the CPU. "cuda" is an NVIDIA
    or AMD GPU, "mps" the GPU of a Mac."""

    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """CPU threads for prediction. 0 means OMP_NUM_THREADS if that is set, otherwise one per
    core."""

    tta: Literal[1, 4, 8] = 1
    """Test-time augmentation: average each tile over 1 orientation, 4 (flips) or 8 (flips and
    quarter turns). Prediction takes that many times longer."""

    memory_mpx: Annotated[float, Field(ge=0, le=1000)] = 25
    """Largest cemetery whose probabilities are held in memory, in working megapixels (3 MB each).
    Larger ones use files in work_dir/cache, where an interrupted prediction resumes."""

    decoding: DecodingSettings = DecodingSettings()

    @model_validator(mode="after")
    def _check_halo(self) -> Self:
        if self.tile_px and self.tile_px - 2 * self.halo_px < 32:
            raise ValueError("tile_px must exceed twice halo_px by at least 32")
        return self


class OutlineSettings(Section):
    """Outlines: how single graves become polygons."""

    on_resume = OnResume.MAY_CHANGE

    rectangle_iou: Share = 0.85
    """Draw a grave as a rectangle if its outline overlaps the rectangle by at least this IoU. Lower
    values give more rectangles."""

    orthogonal_iou: Share = 0.9
    """Draw a grave that is no rectangle with right angles if its outline overlaps that shape by at
    least this IoU."""

    simplify_m: Annotated[float, Field(ge=0, le=5)] = 0.06
    """Tolerance for simplifying the outlines of graves that are no rectangles, in metres."""

    snap_m: Annotated[float, Field(ge=0, le=1)] = 0.06
    """Align a grave with its row if that moves its ends by at most this, in metres. 0 means
    never."""

    row_radius_m: PositiveMetres = 5.0
    """Radius in which neighbouring graves steady the direction of a grave, in metres."""

    shared_gap_m: Annotated[float, Field(ge=0, le=1)] = 0.04
    """Close gaps between neighbouring graves up to this width, in metres. The graves then share a
    side, and no side moves by more than this."""


class ReviewSettings(Section):
    """Flags of doubtful graves, and which of them call for a review."""

    on_resume = OnResume.MAY_CHANGE

    min_confidence: Share = 0.6
    """Flag a grave as low_confidence if its confidence is below this. Higher values flag more
    graves."""

    size_range_m2: tuple[float, float] = (0.15, 20.0)
    """Flag a grave as size_outlier if its area is outside this range, in square metres."""

    size_deviation: Annotated[float, Field(gt=0, le=100)] = 4.0
    """Flag a grave as size_outlier if its log-area deviates from the cemetery's median by more than
    this many robust standard deviations, unless several graves are as large."""

    min_fit: Share = 0.75
    """Flag a grave as shape_outlier if its outline overlaps its rectangle by less than this IoU."""

    max_elongation: Annotated[float, Field(gt=1, le=100)] = 5.0
    """Flag a grave as shape_outlier if its length-to-width ratio exceeds this."""

    second_seed_share: Share = 0.25
    """Flag a grave as possible_merge if its certain pixels form several spots and the second
    largest holds at least this share of them."""

    line_inside: Share = 0.4
    """Flag a grave as possible_merge if the contact predicted inside it amounts to at least this
    share of a whole line across it."""

    unsure_share: Share = 0.25
    """Flag a grave of irregular shape as occluded if at least this share of its pixels is
    doubtful."""

    nodata_share: Share = 0.05
    """Flag a grave as nodata if the orthophoto shows nothing beyond at least this share of its
    rim."""

    candidates_per_grave: Share = 0.2
    """Show at most this many candidates for each drawn grave: places that may be graves but fell
    below a threshold. 0 means none."""

    without_review: tuple[Flag, ...] = ("possible_split",)
    """Flags that do not call for a review. possible_split is one of them because double graves are
    often rightly drawn as two."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if not 0 <= self.size_range_m2[0] < self.size_range_m2[1]:
            raise ValueError("size_range_m2 must be (lower, upper) with 0 <= lower < upper")
        return self
