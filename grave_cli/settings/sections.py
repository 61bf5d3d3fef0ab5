"""The sections of the settings tree: every value with its bound, its unit and its help text.

A field's docstring is the comment in `config.example.toml` and the text of `gravecli config`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Channels = Literal["rgb", "rgb+dem"]
"""What the network sees: the orthophoto alone, or with heights above local ground."""

ElevationFeature = Literal["height", "slope", "zscore", "robust_zscore", "percentile"]

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

Share = Annotated[float, Field(ge=0, le=1)]
PositiveMetres = Annotated[float, Field(gt=0, le=100)]


class Section(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,  # "nan" passes every bound that is written as a refusal
    )


class DataSettings(Section):
    """Where the cemeteries lie, which channels are used, and who is trained on."""

    root: Path = Path("data")
    """Folder with orthophotos/, annotations/ (or masks/) and, for rgb+dem, dems/."""

    channels: Channels = "rgb"
    """What the network sees: "rgb" or "rgb+dem"."""

    train: tuple[str, ...] = ()
    """Cemeteries to train on; empty: chosen from all, the same every time."""

    val: tuple[str, ...] = ()
    """Cemeteries to validate on; empty: chosen, or a strip of each training cemetery."""

    test: tuple[str, ...] = ()
    """Cemeteries kept for the final score; empty: chosen when there are two or more."""

    val_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of a cemetery's graves that its validation strip holds in a spatial split."""

    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of a cemetery's graves that its test strip holds in a spatial split."""

    guard_m: Annotated[float, Field(ge=0, le=50)] = 2.0
    """Metres left unused between the strips of a spatial split, so that no grave is in two."""

    annotations: str = ""
    """One vector file with the graves of all cemeteries that have no labels of their own; each
    takes those within its orthophoto. Empty: none."""

    annotation_layer: str = ""
    """Layer with the graves. Empty: the only layer of polygons, or the one named "graves"."""

    annotation_filter: str = ""
    """Which features are graves: an SQL condition on the columns of the annotations, for example
    "NAME = 'Grab belegt'". Empty: all of them."""

    area_layer: str = ""
    """Layer of the annotation files with the part of the cemetery that has been labelled; outside
    it nothing counts. A file in areas/ wins over it. Empty: none."""


class GridSettings(Section):
    """The working grid: the ground sampling distance at which everything happens."""

    gsd_m: Annotated[float, Field(ge=0.01, le=2)] = 0.04
    """Metres on the ground per working pixel."""

    max_upsampling: Annotated[float, Field(ge=1, le=10)] = 3.0
    """An orthophoto whose pixels are more than this many times coarser than gsd_m is refused."""


class ElevationSettings(Section):
    """How heights become channels; used with channels = "rgb+dem"."""

    features: Annotated[tuple[ElevationFeature, ...], Field(min_length=1)] = ("height",)
    """Elevation channels, in order: height (above local ground), slope, zscore, robust_zscore,
    percentile."""

    ground_cell_m: Annotated[float, Field(ge=0.2, le=10)] = 1.0
    """Metres per cell of the coarse grid on which the local ground and all statistics are
    computed."""

    ground_radius_m: Annotated[float, Field(ge=1, le=100)] = 6.0
    """Metres around a point in which its local ground is sought; larger than half of the widest
    thing that stands on it."""

    height_range_m: tuple[float, float] = (-1.0, 3.0)
    """Heights above local ground are clipped to this range, in metres."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.height_range_m[0] >= self.height_range_m[1]:
            raise ValueError("height_range_m must be (lower, upper) with lower < upper")
        if len(set(self.features)) != len(self.features):
            raise ValueError("features must not name one feature twice")
        return self


class ChipSettings(Section):
    """What a training step sees: the crops, their number and how they are varied."""

    size_px: Annotated[int, Field(ge=64, le=2048, multiple_of=32)] = 256
    """Edge of a training chip, in working pixels (a multiple of 32)."""

    batch_size: Annotated[int, Field(ge=1, le=1024)] = 4
    """Chips per training step."""

    per_epoch: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Chips per epoch; 0: as many as cover the training area four times, at least 128."""

    grave_share: Share = 0.6
    """Share of the chips that are centred near a grave; each grave is seen about equally often."""

    revisit_share: Share = 0.4
    """Share of the other chips that go back to background that was lately taken for graves (cars,
    beds, roofs); the rest fall anywhere."""

    rotate: bool = True
    """Rotate chips freely (any angle), not only by flips."""

    scale_range: tuple[float, float] = (0.8, 1.25)
    """Chips are drawn at a scale between these factors."""

    color_jitter: Share = 0.25
    """Strength of the random changes of brightness, contrast and saturation (RGB only)."""

    hue_jitter: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Strength of the random change of hue (RGB only); 0.5 is any hue."""

    blur_share: Share = 0.2
    """Share of the chips that are blurred a little, as by another camera or flight."""

    dem_dropout: Share = 0.15
    """Share of the chips whose elevation channels are blanked in training, so that a model for
    rgb+dem stays usable where the DEM has holes."""

    max_memory_gb: Annotated[float, Field(gt=0, le=10_000)] = 4.0
    """Prepared cemeteries up to this size in all are held in memory, larger sets in a
    memory-mapped cache under work_dir (gigabytes)."""

    @model_validator(mode="after")
    def _check_scale(self) -> Self:
        low, high = self.scale_range
        if not 0.25 <= low <= high <= 4:
            raise ValueError("scale_range must be (low, high) with 0.25 <= low <= high <= 4")
        return self


class ModelSettings(Section):
    """The network."""

    architecture: Literal["unet", "unetplusplus", "fpn", "deeplabv3plus", "linknet"] = "unet"
    """Decoder of segmentation-models-pytorch."""

    encoder: Annotated[str, Field(min_length=1)] = "tu-tf_efficientnet_lite0"
    """Encoder name as segmentation-models-pytorch knows it; "tu-" names come from timm."""

    encoder_weights: Annotated[str, Field(min_length=1)] = "imagenet"
    """Start of the encoder: "imagenet", "none" (random), or a file with its weights. The weights
    of the default encoder come with gravecli; those of others are fetched from the model hub."""

    decoder_channels: tuple[Annotated[int, Field(ge=8, le=1024)], ...] = (64, 48, 32, 24, 16)
    """Channels of the five decoder stages, coarse to fine (unet and unetplusplus only)."""


class TrainingSettings(Section):
    """How long and how hard the network is trained."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 40
    """Epochs at most."""

    max_time_s: Annotated[float, Field(ge=0)] = 0
    """Wall clock at most, in seconds; 0: no limit. The learning rate anneals to its end."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    """Peak learning rate of AdamW."""

    weight_decay: Annotated[float, Field(ge=0, le=1)] = 1e-4
    """Weight decay of AdamW."""

    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the training in which the learning rate rises; then it falls as a cosine."""

    gradient_clip: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """Largest norm of the gradient; 0: not clipped."""

    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.98
    """Decay per step of the running average of the weights that is validated and kept; 0: off."""

    bce_weight: Share = 0.5
    """Weight of the cross-entropy in the loss; the soft Dice has the rest."""

    border_weight: Annotated[float, Field(ge=0, le=100)] = 0.5
    """Weight of the border channel in the loss; the body has 1."""

    contact_weight: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Weight of the contact channel in the loss; the body has 1."""

    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Focus of the cross-entropy on pixels that are still wrong; 0: plain cross-entropy."""

    border_width_m: PositiveMetres = 0.10
    """Width of the border band inside a grave's outline, in metres (at least 2 px)."""

    contact_width_m: PositiveMetres = 0.20
    """Width of the contact band between two graves, in metres (at least 2 px in each)."""

    monitor: Literal["val/dice", "val/object_f1"] = "val/dice"
    """Metric by which checkpoints are ranked and training stops early."""

    patience: Annotated[int, Field(ge=0, le=10_000)] = 15
    """Epochs without a better value before training stops; 0: never."""

    tune_thresholds: bool = True
    """After the training, seek the thresholds of prediction.decoding that separate the graves of
    the validation cemeteries best, starting from those that are set; the model carries them."""

    validate_every: Annotated[int, Field(ge=1, le=1000)] = 1
    """Epochs between two validations."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Seed of everything random in a training."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train."""

    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"] = "auto"
    """Arithmetic of the training; auto: bf16 where a GPU has it, else 32 bits."""

    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Processes that prepare chips beside the training; 0: the training itself does."""


class TrackingSettings(Section):
    """MLflow: the only place where experiments are recorded."""

    uri: str = ""
    """Tracking store: an MLflow server or database URL; empty: a SQLite file in work_dir."""

    experiment: Annotated[str, Field(min_length=1)] = "graves"
    """Experiment that runs belong to."""

    artifacts: str = ""
    """Where the files of runs go when the store is a database: a folder or a URL (S3 …); empty:
    artifacts/ in work_dir. An MLflow server decides itself."""

    registered_model: str = "graves"
    """Name in the model registry of which each finished training becomes a version, the best one
    with the alias "champion"; empty: none."""

    rescore_champion: bool = True
    """After a training on other data, score the champion on the new validation data, too, and let
    the better one be champion; off: the champion stays."""

    samples: Annotated[int, Field(ge=0, le=64)] = 4
    """Places of the validation cemeteries whose predictions are shown as pictures; 0: none."""

    images_every: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Epochs between two sets of pictures; the first, the last and the best one have some, too."""

    system_metrics: bool = False
    """Record the load of processors, memory, disk and network every ten seconds, too."""


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

    min_confidence: Share = 0.5
    """Confidence below which a grave is flagged low_confidence."""

    size_range_m2: tuple[float, float] = (0.15, 20.0)
    """A grave whose area lies outside of this range is a size_outlier, in square metres."""

    size_deviation: Annotated[float, Field(gt=0, le=100)] = 4.0
    """A size_outlier, too, is a grave whose area is as many spreads (robust, of the logarithms) off
    the cemetery's median, unless several others are as large."""

    min_fit: Share = 0.7
    """A grave whose outline overlaps its rectangle by less (IoU) is a shape_outlier."""

    max_elongation: Annotated[float, Field(gt=1, le=100)] = 5.0
    """So is one that is as many times longer than wide."""

    second_seed_share: Share = 0.25
    """A grave is a possible_merge when of its pixels that are surely within one grave this share
    lies apart from the others."""

    line_inside: Share = 0.3
    """A possible_merge, too, is a grave through which this share of a line between graves runs."""

    unsure_share: Share = 0.4
    """A grave of irregular shape is taken for occluded from this share of doubtful pixels."""

    nodata_share: Share = 0.05
    """Share of a grave's rim beyond which the orthophoto shows nothing, from which it is flagged
    nodata."""

    without_review: tuple[Flag, ...] = ()
    """Flags that are set but call for no review."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if not 0 <= self.size_range_m2[0] < self.size_range_m2[1]:
            raise ValueError("size_range_m2 must be (lower, upper) with 0 <= lower < upper")
        return self
