"""Settings of a training: chips, network, schedule, tracking.

A field's docstring is its help text and its comment in `config.example.toml`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from grave_cli.settings.section import OnResume, PositiveMetres, Section, Share

DEFAULT_ENCODER = "tu-tf_efficientnet_lite0"
"""Fast on a CPU; its ImageNet weights ship with gravecli, so that nothing is downloaded."""

DEFAULT_DECODER_CHANNELS = (64, 48, 32, 24, 16)
"""Narrower than smp's (256, 128, 64, 32, 16): on one core a training step of four chips of 256 px
takes 0.69 s, against 0.87 s with (128, 64, 48, 32, 16)."""


class ChipSettings(Section):
    """Training chips: size, number, sampling and augmentation."""

    on_resume = OnResume.FIXED

    size_px: Annotated[int, Field(ge=64, le=2048, multiple_of=32)] = 256
    """Edge of a training chip, in working pixels (a multiple of 32). Larger chips show more context
    and need more memory."""

    batch_size: Annotated[int, Field(ge=1, le=1024)] = 4
    """Chips per training step. A smaller batch needs less memory."""

    per_epoch: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Chips per epoch. 0 means enough to cover the training area four times, at least 128."""

    grave_share: Share = 0.6
    """Share of chips centred near a grave. Crowded graves are drawn less often, so that each grave
    is seen about equally often."""

    revisit_share: Share = 0.1
    """Hard examples: share of the chips away from graves that revisit background recently mistaken
    for graves (cars, flower beds, roofs)."""

    generated_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of chips from generated cemeteries, which are drawn once into work_dir. A long training
    on two or three cemeteries then overfits them less."""

    rotate: bool = True
    """Augmentation: rotate chips by any angle, in addition to flipping them."""

    scale_range: tuple[float, float] = (0.65, 1.5)
    """Augmentation: range of random scale factors. A wide range prepares the model for grave sizes
    that the training cemeteries lack."""

    paste_share: Share = 0.4
    """Augmentation: share of chips that get graves from another place pasted onto free ground."""

    color_jitter: Share = 0.25
    """Augmentation: strength of random changes in brightness, contrast and saturation (RGB
    only)."""

    hue_jitter: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Augmentation: strength of random hue changes (RGB only). 0.5 allows any hue."""

    blur_share: Share = 0.2
    """Augmentation: share of chips that are slightly blurred, to imitate other cameras and
    flights."""

    dem_dropout: Share = 0.15
    """Augmentation: share of chips whose elevation channels are blanked. It keeps an rgb+dem model
    usable where the DEM has holes."""

    max_memory_gb: Annotated[float, Field(gt=0, le=10_000), OnResume.MAY_CHANGE] = 4.0
    """Memory limit for the prepared cemeteries of a training, in gigabytes. Larger data sets are
    read from a memory-mapped cache in work_dir."""

    @model_validator(mode="after")
    def _check_scale(self) -> Self:
        low, high = self.scale_range
        if not 0.25 <= low <= high <= 4:
            raise ValueError("scale_range must be (low, high) with 0.25 <= low <= high <= 4")
        return self


class ModelSettings(Section):
    """The network."""

    on_resume = OnResume.FIXED

    architecture: Literal["unet", "unetplusplus", "fpn", "deeplabv3plus", "linknet"] = "unet"
    """Segmentation architecture, as segmentation-models-pytorch names it."""

    encoder: Annotated[str, Field(min_length=1)] = DEFAULT_ENCODER
    """Encoder, as segmentation-models-pytorch names it. Names that start with "tu-" come from
    timm."""

    start: Annotated[str, Field(min_length=1)] = "auto"
    """Start of a training: "starter" (the model that ships with gravecli), any other model,
    "imagenet" (weights of the encoder alone; those of the default encoder ship with gravecli, those
    of others are downloaded), a file with weights of the encoder, or "none" (random weights).
    "auto" takes the starter if it has the same network, otherwise "imagenet"."""

    freeze_encoder_norm: bool = True
    """Keep the batch-normalisation statistics of a pretrained encoder, because small batches
    estimate them badly. Scale and offset are still trained."""

    decoder_channels: tuple[Annotated[int, Field(ge=8, le=1024)], ...] = DEFAULT_DECODER_CHANNELS
    """Channels of the five decoder stages, coarse to fine (unet and unetplusplus only). Fewer
    channels are faster."""


class TrainingSettings(Section):
    """Duration, optimiser, loss and checkpoints of a training."""

    on_resume = OnResume.FIXED

    epochs: Annotated[int, Field(ge=1, le=10_000), OnResume.MAY_CHANGE] = 40
    """Maximum number of epochs."""

    max_time_s: Annotated[float, Field(ge=0), OnResume.MAY_CHANGE] = 0
    """Time limit of a training, in seconds. The learning-rate schedule is shortened to fit. 0 means
    no limit."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    """Peak learning rate of the AdamW optimiser."""

    fine_tuning_factor: Annotated[float, Field(gt=0, le=1)] = 0.15
    """Factor on the learning rate of a training that starts from a model (model.start), so that it
    keeps what the model knows."""

    weight_decay: Annotated[float, Field(ge=0, le=1)] = 1e-4
    """Weight decay of the AdamW optimiser."""

    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the training in which the learning rate rises to its peak. Then it falls along a
    cosine."""

    gradient_clip: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """Largest gradient norm; larger gradients are clipped to it. 0 means no clipping."""

    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.98
    """Decay per step of the moving average of the weights. gravecli validates and saves the
    average. Higher values average over more steps. 0 means no averaging."""

    bce_weight: Share = 0.5
    """Weight of the cross-entropy in the loss, 0 to 1. The soft Dice loss has the rest."""

    border_weight: Annotated[float, Field(ge=0, le=100)] = 0.5
    """Weight of the border channel in the loss, relative to the body channel (1)."""

    contact_weight: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Weight of the contact channel in the loss, relative to the body channel (1)."""

    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Focal-loss exponent of the cross-entropy. Higher values focus on pixels that are still wrong.
    0 means plain cross-entropy."""

    border_width_m: PositiveMetres = 0.10
    """Width of the border band inside a grave's outline, in metres (at least 2 working pixels)."""

    contact_width_m: PositiveMetres = 0.20
    """Width of the contact band between two graves, in metres (at least 2 working pixels in
    each)."""

    monitor: Literal["val/dice", "val/object_f1"] = "val/dice"
    """Validation metric that ranks checkpoints and decides on early stopping."""

    monitor_tolerance: Share = 0.01
    """Epochs within this margin of the best score are ties; the latest one is kept."""

    patience: Annotated[int, Field(ge=0, le=10_000), OnResume.MAY_CHANGE] = 15
    """Early stopping: number of validations without a better score before training stops. 0 means
    never."""

    tune_thresholds: bool = True
    """After training, search the thresholds of prediction.decoding that best separate the graves of
    the validation cemeteries. The search starts from the thresholds set, and raises min_area_m2 to
    at most half of the smallest labelled grave; the model stores the result."""

    validate_every: Annotated[int, Field(ge=1, le=1000), OnResume.MAY_CHANGE] = 1
    """Interval between validations, in epochs. The last epoch is always validated."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Random seed of a training."""

    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], OnResume.MAY_CHANGE] = "auto"
    """Device for training. "auto": a GPU if there is one, otherwise the CPU. "cuda" is an NVIDIA or
    AMD GPU, "mps" the GPU of a Mac."""

    devices: Annotated[int, Field(ge=1, le=64), OnResume.MAY_CHANGE] = 1
    """Number of devices of this machine that train together: GPUs, or processes on a CPU. They
    share each batch, so chips.batch_size stays that of the whole."""

    nodes: Annotated[int, Field(ge=1, le=256), OnResume.MAY_CHANGE] = 1
    """Number of machines that train together. Start the same command on each, with its number in
    NODE_RANK, and with MASTER_ADDR and MASTER_PORT of machine 0, which keeps the run. They share
    work_dir."""

    strategy: Annotated[Literal["auto", "ddp"], OnResume.MAY_CHANGE] = "auto"
    """How several devices train together. "ddp": each computes its share of the batch with a copy
    of the network. "auto": ddp for more than one device, otherwise none."""

    precision: Annotated[
        Literal["auto", "32-true", "16-mixed", "bf16-mixed"], OnResume.MAY_CHANGE
    ] = "auto"
    """Number format for training. "auto": bf16-mixed on GPUs that compute in it (NVIDIA since
    2020), otherwise 32-true. "16-mixed" needs CUDA; "mps" trains in 32-true only."""

    workers: Annotated[int, Field(ge=-1, le=256), OnResume.MAY_CHANGE] = -1
    """Number of processes that prepare chips beside the training. 0 means that the training
    prepares them itself. -1 means 0 on a CPU, and on a GPU one less than there are cores, up to
    16."""


class TrackingSettings(Section):
    """MLflow: the only place where experiments are recorded."""

    on_resume = OnResume.MAY_CHANGE

    uri: str = ""
    """Tracking store: URL of an MLflow server or a database. Empty: a SQLite file in work_dir."""

    wait_s: Annotated[float, Field(gt=0, le=3600)] = 15
    """Longest wait for the first answer of the tracking store, in seconds."""

    experiment: Annotated[str, Field(min_length=1)] = "graves"
    """MLflow experiment that contains the runs."""

    artifacts: str = ""
    """Folder or URL (s3://…) for the files of runs if the tracking store is a database; an MLflow
    server uses its own. Empty: artifacts/ in work_dir."""

    registered_model: str = "graves"
    """Name in the model registry. Each finished training becomes a version of it; the best version
    has the alias "champion". Empty: nothing is registered."""

    rescore_champion: bool = True
    """If the champion was trained on other data, score it on the new validation data and let the
    better model be champion. If false, the champion stays."""

    samples: Annotated[int, Field(ge=0, le=64)] = 4
    """Number of validation places whose predictions are logged as pictures. 0 means none."""

    images_every: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Interval between pictures of the validation samples, in epochs. The network before training
    and the first, the last and the best epoch always get pictures."""

    system_metrics: bool = False
    """Log the load of processors, memory, disk and network every ten seconds."""

    @field_validator("registered_model")
    @classmethod
    def _check_name(cls, name: str) -> str:
        # MLflow would refuse it, once the model is trained.
        if "/" in name or ":" in name or (name and not name.strip(" .")):
            raise ValueError("must be a name without / and :")
        return name
