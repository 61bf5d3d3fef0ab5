"""What a map says of its sources in; the places where these files may be out."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from grave_cli.dataset.file_kinds import GROUND, Kind
from grave_cli.settings.inputs import DataSettings


def recorded_data(provenance: Mapping[str, str]) -> DataSettings:
    """Read the data settings of the training of a map's model; the defaults if there are none."""
    try:
        chosen = json.loads(provenance["settings"])["settings"]["data"]
        return DataSettings(root=chosen["root"], annotations=chosen["annotations"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return DataSettings()


def recorded_places(map_file: Path, name: str, kind: Kind, roots: Iterable[Path]) -> Iterator[Path]:
    """Yield the files of a name where gravecli usually has them.

    Only the name counts, not a path in it: a map may come from anybody.

    Args:
        map_file: The map.
        name: Name of the file, as the map records it.
        kind: Its kind, which names its folder.
        roots: Data folders to look into.
    """
    folders = [root / part / kind.folder for root in roots for part in ("", GROUND)]
    for folder in dict.fromkeys((map_file.parent, Path(), Path(kind.folder), *folders)):
        path = folder / Path(name).name
        if os.path.lexists(path):
            yield path
