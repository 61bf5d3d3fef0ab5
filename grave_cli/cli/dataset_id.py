"""`gravecli dataset-id`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options
from grave_cli.cli.streams import say

if TYPE_CHECKING:
    from grave_cli.dataset.identity.dataset_id import Fingerprint
    from grave_cli.progress import Progress
    from grave_cli.settings.tree import Settings


def dataset_id(
    data: options.DataArgument = None,
    content: Annotated[
        bool,
        typer.Option(
            "--content",
            help="Hash file contents instead of sizes and times. This gives another id, which "
            "survives changed times (git clone). The hashes are cached in work_dir.",
        ),
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the list of files as JSON.")
    ] = None,
    diff: Annotated[
        Path | None,
        typer.Option(metavar="OLD.json", help="Report the changes since this list on stderr."),
    ] = None,
    overwrite: options.Overwrite = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Print the id of a data set: the same files give the same eight hex digits.

    The id covers the relative path, size and modification time (whole
    seconds) of each orthophoto, DEM, annotation, mask and area, and of the
    files they depend on (parts of a Shapefile, world files, sources of a
    VRT). train and hpo record the same id. A copy that keeps the times
    (cp -a, rsync -t) keeps the id.
    """
    from grave_cli.dataset.identity.listing import in_words, list_output, read_list, write_list
    from grave_cli.outputs import check_outputs, checked_outputs, is_same_file

    settings = options.load(config, assignments, {"data.root": data}).settings
    old = None if diff is None else read_list(diff)
    inputs = {"--config": config}
    if manifest is not None:
        check_outputs([list_output(manifest)], inputs, overwrite=overwrite)
    found = _identify(settings, content, options.show_progress(quiet, verbose))
    if manifest is not None:
        # A list that --diff compares with is renewed: its differences are shown.
        is_shown = diff is not None and is_same_file(diff, manifest)
        new = list_output(manifest, None if is_shown else found)
        with checked_outputs([new], inputs, overwrite=overwrite):
            write_list(found, manifest)
    if json:
        _print_json(found, old)
        return
    for line in () if old is None else in_words(old, found):
        say(line, err=True)
    say(found.id)


def _print_json(found: "Fingerprint", old: "Fingerprint | None") -> None:
    from dataclasses import asdict

    from grave_cli.cli.console import print_json
    from grave_cli.dataset.identity.listing import compare

    changes = None if old is None else [asdict(change) for change in compare(old, found)]
    print_json(
        {
            "id": found.id,
            "basis": found.basis,
            "files": [asdict(file) for file in found.files],
            "old_id": None if old is None else old.id,
            "changes": changes,
        }
    )


def _identify(settings: "Settings", content: bool, progress: "Progress") -> "Fingerprint":
    from grave_cli.dataset.identity.dataset_id import content_fingerprint, fingerprint
    from grave_cli.dataset.manifest import manifest_of

    manifest = manifest_of(settings.data)
    if not content:
        return fingerprint(manifest)
    cache = settings.work_dir / "cache" / "content-hashes.json"
    return content_fingerprint(manifest, cache, progress)
