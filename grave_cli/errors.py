"""All errors of gravecli, as one tree of exceptions.

    GraveError
    ├── SettingsError       an unknown setting, a value out of bounds, a missing config file
    ├── DatasetError        an unusable data folder, manifest, annotation file or split
    ├── GridError           a CRS or geotransform that no working grid fits
    ├── RasterReadError     an unreadable raster, or one with unexpected content
    ├── ModelError          a missing or unsuitable bundle, encoder or set of weights
    ├── TrackingError       an unusable MLflow store, or a missing run
    ├── TuningError         an unusable Optuna storage, study or search space
    ├── ExportError         an output that cannot be written
    ├── InUseError          a file, run or database that another process works on, or took over
    ├── TrainingError       a training that started and failed (exit code 1)
    └── OutOfMemoryError    a training or prediction that the memory is too small for (exit code 1)

Each message is one line for the user: where, what, found, expected, remedy. The exit code is 2, a
usage or input error, unless noted.
"""

from pathlib import Path
from typing import Self


class GraveError(Exception):
    """An error that its user reads as one line.

    Args:
        what: The fault, as a short clause without a full stop.
        where: The file or cemetery concerned.
        found: The actual value or content.
        expected: The value or content that was needed.
        remedy: The way out, as a short clause.
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

    def with_news(self, news: str) -> Self:
        """Return the same error whose remedy also says what has been done all the same."""
        remedy = f"{self.remedy}; {news}" if self.remedy else news
        return type(self)(
            self.what, where=self.where, found=self.found, expected=self.expected, remedy=remedy
        )

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
    """The data folder or its content cannot be used."""


class GridError(GraveError):
    """No working grid fits this raster."""


class RasterReadError(GraveError):
    """A raster cannot be read or has unexpected content."""


class ModelError(GraveError):
    """A bundle, encoder or set of weights is missing or does not fit."""


class TrackingError(GraveError):
    """The tracking store cannot be used, or has no such run."""


class TuningError(GraveError):
    """A study, its storage or its search space cannot be used."""


class ExportError(GraveError):
    """An output cannot be written."""


class InUseError(GraveError):
    """Another process works on a file, run or database, or has taken it over."""


class TrainingError(GraveError):
    """Training started and failed."""

    exit_code = 1


class OutOfMemoryError(GraveError):
    """The memory of the computer or of its GPU is too small for a training or a prediction."""

    exit_code = 1


# What torch, CUDA, cuDNN, the GPU of a Mac, onnxruntime, the system, the loader and Python say.
_OUT_OF_MEMORY = (
    "out of memory",  # CUDA, ROCm, MPS
    "cudaErrorMemoryAllocation",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",  # cuDNN 9: of the host or of the device
    "unable to find an engine to execute this computation",  # cuDNN, without its workspace
    "Invalid buffer size",  # MPS: larger than one buffer may be
    "can't allocate memory",
    "DefaultCPUAllocator: not enough memory",  # Windows
    "Failed to allocate memory",
    "std::bad_alloc",
    "bad allocation",  # Windows
    "Cannot allocate memory",
    "failed to map segment",
    "can't start new thread",
)


def memory_fault(error: BaseException) -> str | None:
    """Find exhausted memory among the causes of an error; libraries have no common class for it.

    Args:
        error: The error.

    Returns:
        The fault in the words of the library; None if memory was not the cause.
    """
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause)
        if isinstance(cause, MemoryError) or any(words in text for words in _OUT_OF_MEMORY):
            lines = text.splitlines()
            return lines[0] if lines else "memory is exhausted"
        cause = cause.__cause__ or cause.__context__
    return None
