"""The two kinds of trial: a training with its settings, and a decoding with its thresholds.

Both are set up in two steps: `plan_trials` finds data and model before any pixel is read, and
`prepare` reads once what all trials share (arrays or probabilities).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grave_cli.dataset.training_data import (
    TrainingData,
    TrainingPlan,
    plan_training,
    select_features,
)
from grave_cli.errors import OutOfMemoryError, TuningError
from grave_cli.model.shipped import STARTER
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.load import with_values
from grave_cli.settings.studies import Choice, Study
from grave_cli.settings.tree import Settings
from grave_cli.tracking.dataset_input import DATASET_TAG
from grave_cli.tracking.models import (
    CHANNELS_TAG,
    ENCODER_TAG,
    FoundModel,
    newest_model,
    resolve_model,
)
from grave_cli.tracking.studies import OBJECTIVE_TAG, STATE_TAG, TRIAL_TAG
from grave_cli.training.chip_workers import read_for_workers
from grave_cli.training.device import training_device
from grave_cli.training.start import named_start, parts_known_to, with_thresholds
from grave_cli.tuning.opening import StudyBasis, search_space_text, split_text
from grave_cli.tuning.result import RUN_ID, run_name
from grave_cli.tuning.search_space import (
    CHANNELS_KEY,
    FEATURES_KEY,
    GENERATED_KEY,
    searched_keys,
    settings_of,
)
from grave_cli.tuning.worker import Objective, RetryTrial

if TYPE_CHECKING:
    from optuna import Trial

BATCH = "chips.batch_size"
"""Attribute of a trial whose first attempt ran out of memory: its smaller batch size."""

DECODED_TAG = "gravecli.decoded_model"
"""Tag of a study of thresholds and its trials: name of the model."""

_OBJECT_F1 = "val/object_f1"


@dataclass(frozen=True)
class TrainingTrials:
    """Trials that train a network.

    Args:
        settings: Settings that trials start from.
        plan: Search space of the study.
        reading: Settings for reading the channels and features of all trials.
        data: Training data.
    """

    settings: Settings
    plan: Study
    reading: Settings
    data: TrainingPlan

    @property
    def model_name(self) -> str:
        """Trainings tune no model."""
        return ""

    @property
    def metric(self) -> str:
        """Metric that is maximised."""
        return self.settings.training.monitor

    @property
    def basis(self) -> StudyBasis:
        """Conditions that all trials share."""
        channels = self.reading.data.channels
        return _basis(self.data, self.plan, channels, self.metric)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the study's run. Channels and encoder are those of its best trial."""
        return {DATASET_TAG: self.data.dataset_id, OBJECTIVE_TAG: self.metric}

    def read(self, progress: Progress = SILENT) -> TrainingData:
        """Read the arrays."""
        return read_for_workers(self.data, self.reading, progress)

    def prepare(self, parent_run_id: str, progress: Progress = SILENT) -> Objective:
        """Read the arrays once for all trials."""
        data = self.read(progress)

        def objective(trial: "Trial") -> float:
            return _train(trial, self.plan, self.settings, data, parent_run_id)

        return objective


@dataclass(frozen=True)
class DecodingTrials:
    """Trials that decode the probabilities of one model with different thresholds.

    Args:
        settings: Settings that trials start from, with the thresholds of the model where they set
            none.
        plan: Search space of the study.
        data: Data with the validation cemeteries to decode.
        model: The model.
        model_name: Its name as `--model` takes it.
    """

    settings: Settings
    plan: Study
    data: TrainingPlan
    model: FoundModel
    model_name: str

    @property
    def metric(self) -> str:
        """Metric that is maximised; Dice does not depend on the thresholds."""
        return _OBJECT_F1

    @property
    def basis(self) -> StudyBasis:
        """Conditions that all trials share."""
        card = self.model.bundle.card
        objective = f"{_OBJECT_F1} of model {card.name} {card.run_id}".rstrip()
        return _basis(self.data, self.plan, card.recipe.channels, objective)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the study's run and of its trials: they describe the model, not the settings."""
        card = self.model.bundle.card
        return {
            DATASET_TAG: self.data.dataset_id,
            OBJECTIVE_TAG: self.metric,
            CHANNELS_TAG: card.recipe.channels,
            ENCODER_TAG: card.architecture.encoder,
            DECODED_TAG: card.name,
        }

    def prepare(self, parent_run_id: str, progress: Progress = SILENT) -> Objective:
        """Run the network over the validation cemeteries once for all trials."""
        from grave_cli.tracking.studies import log_searched
        from grave_cli.training.mapped_parts import score_decoding
        from grave_cli.training.rescoring import map_validation

        maps = map_validation(self.model.bundle, self.data, self.settings, progress)

        def objective(trial: "Trial") -> float:
            chosen = settings_of(trial.params, self.plan, self.settings)
            with _decoding_run(trial, chosen, self.tags, parent_run_id) as metrics:
                log_searched(chosen, trial.user_attrs[RUN_ID], searched_keys(self.plan))
                metrics[_OBJECT_F1] = score_decoding(maps, chosen.prediction.decoding).f1
            return metrics[_OBJECT_F1]

        return objective


Trials = TrainingTrials | DecodingTrials


def plan_trials(
    settings: Settings, plan: Study, model: str | None = None, progress: Progress = SILENT
) -> Trials:
    """Find the data and, for decoding, the model of a study's trials.

    Args:
        settings: Settings that trials start from.
        plan: Search space of the study.
        model: Model to tune, as named by `--model`; None takes the newest that fits.
        progress: Receives notes about the model and about repairs of the data.

    Raises:
        GraveError: The data or the model cannot be used.
    """
    if plan.tunes == "training":
        if model is not None:
            raise TuningError(
                "a study of trainings takes no model",
                found=f"--model {model}",
                remedy="use the preset decode to tune a model's thresholds",
            )
        training_device(settings)  # torch is needed anyway
        named_start(settings)
        reading = _reading_settings(plan, settings)
        return TrainingTrials(settings, plan, reading, plan_training(reading, progress))
    with_dem = settings.data.channels == "rgb+dem"
    found = newest_model(with_dem, settings) if model is None else resolve_model(model, settings)
    card = found.bundle.card
    progress.note(f"model: {found.origin}")
    settings = with_values(settings, {"data.channels": card.recipe.channels})
    settings = with_thresholds(settings, found.bundle)
    name = model or card.run_id or STARTER
    data = plan_training(settings, progress)
    if known := parts_known_to(found.bundle, [one.part for one in data.split("val")]):
        progress.warn(
            f"The thresholds will suit graves that the model has learnt: {card.name} was trained "
            f"on {', '.join(known)}; list other cemeteries in data.val"
        )
    return DecodingTrials(settings, plan, data, found, name)


def _basis(data: TrainingPlan, plan: Study, channels: str, objective: str) -> StudyBasis:
    return StudyBasis(
        data.dataset_id, split_text(data), channels, objective, search_space_text(plan)
    )


def _reading_settings(plan: Study, settings: Settings) -> Settings:
    """Extend channels, elevation features and generated cemeteries to those of all trials."""
    if GENERATED_KEY in searched_keys(plan):
        settings = with_values(settings, {GENERATED_KEY: 0.5})  # any share: they are read
    channels = {settings.data.channels, *_alternatives(plan, CHANNELS_KEY)}
    if "rgb+dem" not in channels:
        return settings
    sets = _alternatives(plan, FEATURES_KEY) or [settings.elevation.features]
    features = tuple(dict.fromkeys(name for names in sets for name in names))
    return with_values(settings, {CHANNELS_KEY: "rgb+dem", FEATURES_KEY: features})


def _alternatives(plan: Study, key: str) -> list[Any]:
    """List the values of a setting in the search space and the variants."""
    domain = plan.search_space.get(key)
    chosen = list(domain.choices) if isinstance(domain, Choice) else []
    return chosen + [values[key] for values in plan.variants.values() if key in values]


def _train(
    trial: "Trial", plan: Study, settings: Settings, data: TrainingData, parent_run_id: str
) -> float:
    from grave_cli.training.trainer import run_training
    from grave_cli.tuning.pruning import reporting_to

    batch = trial.user_attrs.get(BATCH)
    chosen = settings_of(trial.params, plan, settings)
    # Models of trials are not registered: they are for comparison, not candidates for champion.
    # With "ddp", Lightning would end a pruned trial as if it were complete.
    own = {"tracking.registered_model": "", "training.strategy": "auto"}
    chosen = with_values(chosen, own | ({BATCH: batch} if batch else {}))
    metric = settings.training.monitor
    with reporting_to(trial, metric, chosen, searched_keys(plan)) as callback:
        try:
            result = run_training(
                chosen,
                select_features(data, chosen),
                [callback],
                name=run_name(trial.study.study_name, trial.number),
                parent_run_id=parent_run_id,
                finish=plan.final_score,
            )
        except OutOfMemoryError as error:
            if batch or chosen.chips.batch_size == 1:
                raise
            raise RetryTrial(**{BATCH: chosen.chips.batch_size // 2}) from error
        value = result.metrics.get(metric)
        if value is None or value != value:
            raise TuningError(f"trial {trial.number} ended without a value of {metric}")
    return value


@contextmanager
def _decoding_run(
    trial: "Trial", chosen: Settings, about: Mapping[str, str], parent_run_id: str
) -> Iterator[dict[str, float]]:
    """Open the run of a decoding trial; the block fills in its metrics."""
    from grave_cli.tracking.runs import tracked_run

    metrics: dict[str, float] = {}
    tags = {**about, TRIAL_TAG: str(trial.number), STATE_TAG: "COMPLETE"}
    with tracked_run(
        chosen, run_name(trial.study.study_name, trial.number), tags, parent_run_id
    ) as run:
        trial.set_user_attr(RUN_ID, run.run_id)
        yield metrics
        run.log_metrics(metrics)
