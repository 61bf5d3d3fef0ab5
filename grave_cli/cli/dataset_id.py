"""`gravecli dataset-id`."""

from pathlib import Path
from typing import Annotated

import typer


def dataset_id(
    data: Annotated[Path, typer.Argument(help="Data folder.")],
) -> None:
    """Print the fingerprint of a data folder: the same files give the same eight digits."""
    from grave_cli.inputs.dataset_id import dataset_id as fingerprint
    from grave_cli.inputs.manifest import read_manifest

    typer.echo(fingerprint(read_manifest(data)))
