"""Drop encoders from a search whose weights cannot be loaded."""

from collections.abc import Mapping

from grave_cli.errors import ModelError, TuningError
from grave_cli.progress import Progress
from grave_cli.settings.load import with_values
from grave_cli.settings.studies import Choice, Study
from grave_cli.settings.tree import Settings
from grave_cli.training.start import build_start, settle_start
from grave_cli.tuning.shared_study import SharedStudy

_KEY = "model.encoder"
_CHOSEN = "gravecli.encoders"


def keep_loadable(
    shared: SharedStudy, plan: Study, settings: Settings, progress: Progress
) -> Study:
    """Drop encoders from a search whose weights cannot be loaded.

    The first process decides: all later ones search the encoders that it could load.

    Args:
        shared: The study.
        plan: Search space of the study.
        settings: Source of the weights.
        progress: Receives a note for each encoder that is dropped.

    Returns:
        The plan with the remaining encoders.

    Raises:
        TuningError: No encoder can be loaded, this machine lacks one that the study searches, or
            the study began with others.
    """
    domain = plan.search_space.get(_KEY)
    if not isinstance(domain, Choice):
        return plan
    before: list[str] | None = shared.study.user_attrs.get(_CHOSEN)
    if before is not None and not set(before) <= set(domain.choices):
        raise TuningError(
            f"{_KEY}: the choices do not fit the trials of the study",
            found=", ".join(map(str, domain.choices)),
            expected=", ".join(before),
            remedy="choose another study name",
        )
    faults = {name: _fault(name, settings) for name in before or domain.choices}
    missing = {name: fault for name, fault in faults.items() if fault is not None}
    if before is not None and missing:
        raise TuningError(
            f"the study searches an encoder that this machine lacks: {_joined(missing)}"
        )
    chosen = [name for name in faults if name not in missing]
    if not chosen:
        raise TuningError(f"no encoder of the search can be loaded: {_joined(missing)}")
    if before is None:
        with shared.locked():
            is_first = shared.study.user_attrs.get(_CHOSEN) is None
            if is_first:
                shared.study.set_user_attr(_CHOSEN, chosen)
        if not is_first:  # another process has decided meanwhile
            return keep_loadable(shared, plan, settings, progress)
        for fault in missing.values():
            progress.warn(f"left out of the search: {fault}")
    space = {**plan.model_dump()["search_space"], _KEY: {"choices": chosen}}
    return Study.model_validate({**plan.model_dump(), "search_space": space})


def _joined(faults: Mapping[str, ModelError]) -> str:
    return "; ".join(map(str, faults.values()))


def _fault(encoder: str, settings: Settings) -> ModelError | None:
    try:
        build_start(*settle_start(with_values(settings, {_KEY: encoder})))
    except ModelError as error:
        return error
    return None
