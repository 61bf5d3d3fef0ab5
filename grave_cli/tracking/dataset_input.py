"""The data set of a training as a native MLflow Dataset, shown in the Dataset column."""

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
    """Log the data set of a run as param `dataset_id` and as Dataset `dataset_<id>`.

    Logging it again, in a resumed run, changes nothing.

    Args:
        run: The run; opening it has switched off MLflow's telemetry.
        plan: Data to train, validate and test on.
    """
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import Dataset, DatasetInput, InputTag

    table = dataset_table(plan)
    source = plan.manifest.root.resolve().as_uri()
    digest = dataset_digest(plan)
    name = f"dataset_{plan.dataset_id}"
    with warnings.catch_warnings():
        # Grave counts are never missing, and a local folder is the same in both interpretations.
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
    """Return a table of the parts of a data set: cemetery, split, graves, area (m2), GSD (m)."""
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
    """Fingerprint the files, the split and the GSD of a data set."""
    table = dataset_table(plan).to_dict("records")
    text = json.dumps([plan.dataset_id, table], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _area_m2(part: PartPlan) -> float:
    """Return the area of a part, or of the labelled area within it."""
    grid = part.grid
    frame = shapely.box(*grid.bounds)
    labelled = part.whole.area
    area = frame if labelled is None else shapely.intersection(frame, labelled)
    return float(shapely.area(area)) * grid.metres_per_unit**2
