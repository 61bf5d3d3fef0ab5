"""Everything gravecli refuses or fails at, as one tree of exceptions.

    GraveError
    ├── SettingsError       an unknown setting, a value out of bounds, a missing config file
    ├── DatasetError        a folder, manifest, annotation or split that cannot be used
    ├── GridError           a CRS or geotransform that no working grid can be laid on
    ├── RasterReadError     a raster that cannot be read, or holds something else than expected
    ├── ModelError          a bundle, encoder or set of weights that is missing or does not fit
    ├── TrackingError       an MLflow store that cannot be used, or a run that is not there
    ├── TuningError         an Optuna storage, study or search space that cannot be used
    ├── ExportError         an output that cannot be written
    └── TrainingError       training started and failed (exit code 1)
        └── OutOfMemoryError    for want of memory

Each carries one sentence for the person at the terminal: what, where, found, expected, what to do.
"""

from pathlib import Path


class GraveError(Exception):
    """Tell the user in one line what is wrong and what mends it.

    Args:
        what: The fault, as a short clause without a full stop.
        where: The file or cemetery it is about.
        found: What was there.
        expected: What should have been there.
        remedy: What to do about it, as a short clause.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: Path | str | None = None,
        found: object = None,
        expected: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        contrast = [
            f"{label} {value}"
            for label, value in (("found", self.found), ("expected", self.expected))
            if value is not None
        ]
        sentence = f"{self.where}: {self.what}" if self.where is not None else self.what
        if contrast:
            sentence += f" ({', '.join(contrast)})"
        if self.remedy:
            sentence += f"; {self.remedy}"
        return " ".join(sentence.split())


class SettingsError(GraveError):
    """A setting is unknown, out of bounds or contradicts another."""


class DatasetError(GraveError):
    """The data folder, or something in it, cannot be used."""


class GridError(GraveError):
    """No working grid can be laid on this raster."""


class RasterReadError(GraveError):
    """A raster cannot be read or holds something else than it should."""


class ModelError(GraveError):
    """A bundle, encoder or set of weights is missing or does not fit."""


class TrackingError(GraveError):
    """The tracking store cannot be used, or holds no such run."""


class TuningError(GraveError):
    """A study, its storage or its search space cannot be used."""


class ExportError(GraveError):
    """An output cannot be written."""


class TrainingError(GraveError):
    """Training started and failed."""

    exit_code = 1


class OutOfMemoryError(TrainingError):
    """Memory did not suffice for a training."""
