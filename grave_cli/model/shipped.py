"""The starter model, which ships with the package: trained on generated cemeteries alone."""

from pathlib import Path

from grave_cli.model.bundle import Bundle, read_bundle

STARTER = "starter"
"""Name of the starter model, wherever a model can be named."""


def starter_model() -> Bundle:
    """Read the description of the starter model.

    Raises:
        ModelError: The installation of gravecli is damaged.
    """
    return read_bundle(Path(__file__).parent / "starter")
