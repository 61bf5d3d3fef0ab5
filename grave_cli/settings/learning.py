"""Settings of a training: chips, network, schedule, and where it is recorded.

A field's docstring is the comment in `config.example.toml` and the text of `gravecli config`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grave_cli.settings.section import PositiveMetres, Section, Share

DEFAULT_ENCODER = "tu-tf_efficientnet_lite0"
"""Fast on a CPU, and its ImageNet weights are installed with gravecli: nothing is downloaded."""

DEFAULT_DECODER_CHANNELS = (64, 48, 32, 24, 16)
"""Much less than smp's (256, 128, 64, 32, 16): a training step of four chips of 256 px takes 0.69 s
on one core, with (128, 64, 48, 32, 16) 0.87 s."""


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

    revisit_share: Share = 0.1
    """Share of the other chips that go back to background that was lately taken for graves (cars,
    beds, roofs); the rest fall anywhere."""

    rotate: bool = True
    """Rotate chips freely (any angle), not only by flips."""

    scale_range: tuple[float, float] = (0.65, 1.5)
    """Chips are drawn at a scale between these factors: sizes that one cemetery has and others
    have not are learnt, too."""

    paste_share: Share = 0.4
    """Share of the chips into whose free ground graves from elsewhere are pasted."""

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

    freeze_encoder_norm: bool = True
    """Batch normalisation of a pretrained encoder keeps the statistics it came with: batches of a
    few chips measure them badly. Its scale and offset are trained."""

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

    monitor_tolerance: Share = 0.01
    """Epochs that lie no more than this below the best one count as equally good: the latest of
    them is kept, which has been trained the furthest."""

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
