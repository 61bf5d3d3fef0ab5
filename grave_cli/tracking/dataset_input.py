"""The data set of a training as MLflow's own Dataset: what the UI shows in its Dataset column."""

import hashlib
import json
import warnings
from typing import TYPE_CHECKING

import shapely

from grave_cli.dataset.plans import PartPlan
from grave_cli.dataset.training_data import TrainingPlan
from grave_cli.tracking.runs import TrackedRun

if TYPE_CHECKING:
    import pandas as pd

CONTEXT = "training"
DATASET_TAG = "dataset_id"


def log_dataset(run: TrackedRun, plan: TrainingPlan) -> None:
    """Record the data set that a run learns from, as param `dataset_id` and as Dataset.

    Doing so again, in a run that is resumed, changes nothing. The name is `dataset_<id>`.

    Args:
        run: The run, which has made sure that MLflow's telemetry is off.
        plan: What is trained, validated and tested on.
    """
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import Dataset, DatasetInput, InputTag

    table = dataset_table(plan)
    source = plan.manifest.root.resolve().as_uri()
    digest = dataset_digest(plan)
    name = f"dataset_{plan.dataset_id}"
    with warnings.catch_warnings():
        # Grave counts are never missing, and a local folder is a local folder in both ways.
        warnings.filterwarnings("ignore", message="(?s).*integer column")
        warnings.filterwarnings("ignore", message=".*can be interpreted in multiple ways")
        made = from_pandas(table, source=source, name=name, digest=digest).to_dict()
    dataset = Dataset(
        name=name,
        digest=digest,
        source_type=made["source_type"],
        source=made["source"],
        schema=made["schema"],
        profile=made["profile"],
    )
    context = InputTag("mlflow.data.context", CONTEXT)
    run.client.log_param(run.run_id, DATASET_TAG, plan.dataset_id)
    run.client.log_inputs(run.run_id, [DatasetInput(dataset, [context])])


def dataset_table(plan: TrainingPlan) -> "pd.DataFrame":
    """List the parts of a data set: cemetery, split, graves, area (m2) and GSD (m)."""
    import pandas as pd

    rows = [
        {
            "cemetery": part.part.cemetery.name,
            "split": part.part.split,
            "graves": len(part.graves),
            "area_m2": round(_area_m2(part), 1),
            "gsd_m": part.grid.gsd_m,
        }
        for part in plan.parts
    ]
    return pd.DataFrame(rows)


def dataset_digest(plan: TrainingPlan) -> str:
    """Fingerprint a data set as it is used.

    Changes with the files, with the split and with the GSD, and with nothing else.
    """
    table = dataset_table(plan).to_dict("records")
    text = json.dumps([plan.dataset_id, table], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _area_m2(part: PartPlan) -> float:
    """Area of the part's frame, or of what has been labelled within it."""
    grid = part.grid
    frame = shapely.box(*grid.bounds)
    labelled = part.whole.area
    area = frame if labelled is None else shapely.intersection(frame, labelled)
    return float(shapely.area(area)) * grid.metres_per_unit**2
