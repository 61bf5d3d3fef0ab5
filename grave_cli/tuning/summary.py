"""Summary of a study in its parent run: counts, the best settings, and plots of its course."""

from io import BytesIO
from typing import TYPE_CHECKING

from grave_cli.atomic_writes import whole_file
from grave_cli.settings.example import changed_toml
from grave_cli.settings.load import with_values
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings
from grave_cli.tracking.runs import TrackedRun
from grave_cli.tracking.studies import BEST_RUN_TAG, settle_failed
from grave_cli.tuning.result import RUN_ID, best_trial, run_name
from grave_cli.tuning.search_space import settings_of
from grave_cli.tuning.shared_study import SharedStudy
from grave_cli.tuning.trials import BATCH

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from PIL import Image

BEST_FILE = "best.toml"
_SUMMARISED = "gravecli.concluded"  # attribute of a study: its finished trials at the last summary
_STATES = ("COMPLETE", "PRUNED", "FAIL")
_FEWEST = 2  # complete trials below which a plot is empty


def has_summary(shared: SharedStudy) -> bool:
    """Return whether the parent run's summary covers all finished trials."""
    return shared.study.user_attrs.get(_SUMMARISED) == len(shared.finished())


def log_summary(parent: TrackedRun, shared: SharedStudy, plan: Study, settings: Settings) -> None:
    """Log the state of a study to its parent run.

    One process at a time, so that the latest summary is the newest. A trial that ends meanwhile is
    left to the next one.

    Args:
        parent: Run of the study.
        shared: The study.
        plan: Search space of the study.
        settings: Settings that its trials start from.
    """
    with shared.locked():
        covered = len(shared.finished())
        _log_state(parent, shared, plan, settings)
        shared.study.set_user_attr(_SUMMARISED, covered)


def _log_state(parent: TrackedRun, shared: SharedStudy, plan: Study, settings: Settings) -> None:
    name = shared.study.study_name
    settle_failed(parent, {run_name(name, one.number): one.number for one in shared.trials("FAIL")})
    counts = {f"trials/{state.lower()}": len(shared.trials(state)) for state in _STATES}
    parent.log_metrics(counts)
    best = best_trial(shared)
    if best is not None and best.value is not None:
        parent.log_metrics({"best_value": best.value})
        _log_best(parent, best, plan, settings)
        for name, plot in _plots(shared).items():
            parent.log_image(plot, f"study/{name}")


def _log_best(parent: TrackedRun, best: "FrozenTrial", plan: Study, settings: Settings) -> None:
    chosen = settings_of(best.params, plan, settings)
    if BATCH in best.user_attrs:
        chosen = with_values(chosen, {BATCH: best.user_attrs[BATCH]})
    study, run_id = parent.name, best.user_attrs.get(RUN_ID, "")
    head = f"# Study {study}, trial {best.number}, value {best.value:.4f}, MLflow run {run_id}.\n"
    path = parent.folder / BEST_FILE
    with whole_file(path) as new:
        new.write_text(head + changed_toml(chosen), encoding="utf-8")
    parent.log_file(path, "")
    for key, value in best.params.items():
        parent.tag(f"best.{key}", str(value))
    parent.tag(BEST_RUN_TAG, run_id)
    experiment = parent.client.get_run(parent.run_id).info.experiment_id
    link = f"[{run_name(study, best.number)}](#/experiments/{experiment}/runs/{run_id})"
    note = f"Best trial: {link}, {best.value:.4f}; its settings: {BEST_FILE}."
    parent.tag("mlflow.note.content", note)


def _plots(shared: SharedStudy) -> dict[str, "Image.Image"]:
    """Plot the objective by trial and, unless it is constant, the importance of each parameter."""
    complete = shared.trials("COMPLETE")
    if len(complete) < _FEWEST:
        return {}
    import warnings

    import matplotlib as mpl
    from optuna.visualization import matplotlib as plots

    mpl.use("Agg")
    with warnings.catch_warnings(), mpl.rc_context():
        warnings.simplefilter("ignore")  # experimental API; layouts that are too tight
        pictures = {"history": _picture(plots.plot_optimization_history(shared.study))}
        if len({trial.value for trial in complete}) > 1:
            pictures["importance"] = _picture(plots.plot_param_importances(shared.study))
    return pictures


def _picture(axes: object) -> "Image.Image":
    """Render the figure of a plot as RGB."""
    from matplotlib import pyplot
    from PIL import Image

    figure = axes.figure  # type: ignore[attr-defined]
    figure.set_size_inches(9, 5)
    figure.tight_layout()
    with BytesIO() as drawn:
        figure.savefig(drawn, dpi=100)
        pyplot.close(figure)
        return Image.open(drawn).convert("RGB")
