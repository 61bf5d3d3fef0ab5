"""The id of a data set moves with its data and with nothing else.

Files hold a few bytes each: the id never looks into rasters. Where it must agree with what GDAL
opens (world files, masks, VRTs), GDAL is asked.
"""

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin

from grave_cli.dataset.identity.dataset_id import (
    FileRecord,
    Fingerprint,
    content_fingerprint,
    dataset_id,
    fingerprint,
)
from grave_cli.dataset.identity.listing import Change, compare, in_words, read_list, write_list
from grave_cli.dataset.manifest import Cemetery, Manifest, read_manifest
from grave_cli.errors import DatasetError, ExportError

T0 = 1_600_000_000  # s
NANO = 1_000_000_000

# Writing files takes longer than hypothesis likes; a property needs a few shapes, not hundreds.
FILES = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N"), include_characters="_- ö̈"),
    min_size=1,
    max_size=8,
).filter(lambda name: name == name.strip() and unicodedata.normalize("NFC", name) == name)
CONTENTS = st.dictionaries(NAMES, st.binary(max_size=6), min_size=1, max_size=4).filter(
    lambda files: len({name.casefold() for name in files}) == len(files)
)


def write(path: Path, data: bytes = b"x", time_ns: int = T0 * NANO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(time_ns, time_ns))
    return path


def id_of(root: Path) -> str:
    return dataset_id(read_manifest(root))


def paths_of(root: Path) -> list[str]:
    return [file.path for file in fingerprint(read_manifest(root)).files]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for name in ("orthophotos/a.tif", "orthophotos/b.tif", "dems/a.tif", "annotations/a.gpkg"):
        write(root / name, name.encode())
    write(root / "annotations/b.shp")
    write(root / "areas/b.gpkg")
    return root


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "cache" / "content-hashes.json"


def content_id(root: Path, cache: Path) -> str:
    return content_fingerprint(read_manifest(root), cache).id


@contextmanager
def new_folder() -> Iterator[Path]:
    """A folder for one example: hypothesis runs many in one test's tmp_path."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def write_all(root: Path, contents: dict[str, bytes]) -> Path:
    for name, data in contents.items():
        write(root / f"orthophotos/{name}.tif", data)
        write(root / f"annotations/{name}.gpkg", data)
    return root


# --- what the id is -------------------------------------------------------------------------


def test_the_id_is_the_hash_of_paths_sizes_and_seconds(tmp_path: Path) -> None:
    write(tmp_path / "orthophotos/a.tif", b"123", T0 * NANO + 999_999_999)
    write(tmp_path / "annotations/a.gpkg", b"4")
    listing = f"annotations/a.gpkg\t1\t{T0}\northophotos/a.tif\t3\t{T0}"
    assert id_of(tmp_path) == hashlib.sha256(listing.encode()).hexdigest()[:8]


@FILES
@given(CONTENTS, st.randoms())
def test_the_order_of_listing_and_of_writing_plays_no_part(contents, random) -> None:
    with new_folder() as one, new_folder() as two:
        shuffled = random.sample(sorted(contents), len(contents))
        write_all(one, contents)
        write_all(two, {name: contents[name] for name in shuffled})
        manifest = read_manifest(two)
        cemeteries = tuple(random.sample(manifest.cemeteries, len(manifest.cemeteries)))
        assert id_of(one) == id_of(two) == dataset_id(replace(manifest, cemeteries=cemeteries))


def test_any_spelling_of_the_folder_gives_the_same_id(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = root.parent / "link"
    link.symlink_to(root, target_is_directory=True)
    expected = id_of(root)
    monkeypatch.chdir(root.parent)
    spellings = ["data", "./data", "data/", "data/../data", "data/dems/..", "link", "link/", link]
    assert {id_of(Path(spelling)) for spelling in spellings} == {expected}
    monkeypatch.chdir(root)
    assert id_of(Path(".")) == id_of(Path("../data")) == expected


@FILES
@given(CONTENTS)
def test_a_copy_that_keeps_times_has_the_same_id(contents) -> None:
    with new_folder() as folder:
        root = write_all(folder / "data", contents)
        copy = shutil.copytree(root, folder / "elsewhere/copy", copy_function=shutil.copy2)
        assert id_of(copy) == id_of(root)


def test_an_archive_that_keeps_whole_seconds_gives_the_same_id(root: Path) -> None:
    for path in root.rglob("*.tif"):
        os.utime(path, ns=(T0 * NANO, T0 * NANO + 700_000_000))
    with tarfile.open(root.parent / "data.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(root, "data")
    shutil.unpack_archive(root.parent / "data.tar", root.parent / "other")
    assert id_of(root.parent / "other/data") == id_of(root)


@FILES
@given(CONTENTS, st.data())
def test_every_change_of_a_file_moves_the_id(contents, data) -> None:
    with new_folder() as root:
        write_all(root, contents)
        before = id_of(root)
        path = data.draw(st.sampled_from(sorted(p for p in root.rglob("*.*") if p.is_file())))
        change = data.draw(st.sampled_from(["add", "remove", "grow", "touch", "rename"]))
        cemetery = path.stem
        if change == "add":
            write(root / f"dems/{cemetery}.tif")
        elif change == "remove":
            assume(path.suffix == ".gpkg")
            path.unlink()
        elif change == "grow":
            write(path, path.read_bytes() + b"+")
        elif change == "touch":
            os.utime(path, (T0 + 1, T0 + 1))
        else:
            tag = "_ortho" if path.suffix == ".tif" else "_graves"
            path.rename(path.with_stem(cemetery + tag))
        assert id_of(root) != before


def test_masks_and_areas_count_whatever_is_trained_on(root: Path) -> None:
    seen = {id_of(root)}
    write(root / "areas/a.gpkg")
    seen.add(id_of(root))
    write(root / "orthophotos/c.tif")
    write(root / "masks/c.tif")
    seen.add(id_of(root))
    assert len(seen) == 3


def test_times_before_1970_are_rounded_down_like_all_others(tmp_path: Path) -> None:
    write(tmp_path / "orthophotos/a.tif", time_ns=-1)
    assert fingerprint(read_manifest(tmp_path)).files[0].mtime == -1


def test_ten_thousand_files_are_asked_for_their_state_alone(tmp_path: Path) -> None:
    original = write(tmp_path / "original")
    for folder, ending in (("orthophotos", "tif"), ("annotations", "gpkg")):
        (tmp_path / folder).mkdir()
        for number in range(5000):  # hard links: faster to make, as slow to ask for
            os.link(original, tmp_path / folder / f"cemetery_{number}.{ending}")
    start = time.process_time()  # of this process: other work on the machine is left out
    found = fingerprint(read_manifest(tmp_path))
    assert time.process_time() - start < 5  # a tenth of it on a quiet machine
    assert len(found.files) == 10_000


# --- litter and parts -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "litter",
    [
        "orthophotos/a.tif.aux.xml",
        "orthophotos/a.tif.ovr",
        "orthophotos/other.tfw",
        "orthophotos/notes.txt",
        "orthophotos/.a.tfw",
        "orthophotos/.hidden.tif",
        "annotations/a.gpkg-shm",
        "annotations/a.qgz",
        "annotations/b.qix",
        "annotations/b.shp.xml",
        "annotations/a.prj",
        "annotations/Thumbs.db",
        "areas/project.qgz",
        "manifest.json",
        "other/a.tif",
    ],
)
def test_what_gis_tools_leave_behind_plays_no_part(root: Path, litter: str) -> None:
    before = id_of(root)
    write(root / litter)
    assert id_of(root) == before


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        ("<NoDataValue>90</NoDataValue>", True),
        ("<ColorInterp>Alpha</ColorInterp>", True),
        ("<Scale>0.01</Scale>", True),
        ('<Metadata domain="IMAGERY"><MDI key="CENTRAL_WAVELENGTH_UM">0.56</MDI></Metadata>', True),
        ("<Description>Blue</Description>", True),
        ('<Metadata><MDI key="STATISTICS_MEAN">90</MDI></Metadata>', False),
        ("<NoDataValue>90</NoData", False),  # GDAL does not read it either
    ],
)
def test_an_aux_file_counts_if_it_changes_the_meaning_of_a_raster(
    root: Path, content: str, counts: bool
) -> None:
    before = id_of(root)
    aux = f'<PAMDataset><PAMRasterBand band="1">{content}</PAMRasterBand></PAMDataset>'
    write(root / "orthophotos/a.tif.aux.xml", aux.encode())
    assert (id_of(root) != before) == counts


def test_a_geodatabase_counts_with_all_of_its_files(tmp_path: Path) -> None:
    write(tmp_path / "orthophotos/a.tif")
    for name in ("gdb", "a00000001.gdbtable"):
        write(tmp_path / "annotations/a.gdb" / name)
    assert paths_of(tmp_path) == [
        "annotations/a.gdb/a00000001.gdbtable",
        "annotations/a.gdb/gdb",
        "orthophotos/a.tif",
    ]


LOG = bytes.fromhex("377f0682") + b"edits"


def test_an_empty_wal_plays_no_part_and_edits_in_one_count(root: Path) -> None:
    before = id_of(root)
    wal = write(root / "annotations/a.gpkg-wal", b"")
    assert id_of(root) == before
    write(wal, LOG)
    assert "annotations/a.gpkg-wal" in paths_of(root)
    assert id_of(root) != before


def test_edits_beside_a_linked_geopackage_count(root: Path, tmp_path: Path) -> None:
    target = write(tmp_path / "office/graves.gpkg")
    (root / "annotations/a.gpkg").unlink()
    (root / "annotations/a.gpkg").symlink_to(target)
    write(tmp_path / "office/graves.gpkg-wal", LOG)
    assert "annotations/a.gpkg-wal" in paths_of(root)


@pytest.mark.parametrize(
    "part",
    [
        "annotations/b.dbf",
        "annotations/b.shx",
        "annotations/b.prj",
        "annotations/b.CPG",
        "orthophotos/a.tfw",
        "orthophotos/a.TFW",
        "orthophotos/a.tifw",
        "orthophotos/a.wld",
        "orthophotos/a.prj",
        "orthophotos/a.tif.msk",
        "dems/a.tfw",
    ],
)
def test_parts_that_change_the_meaning_count_as_part_of_their_file(root: Path, part: str) -> None:
    seen = {id_of(root)}
    path = write(root / part, b"1")
    assert part in paths_of(root)
    seen.add(id_of(root))
    write(path, b"12")
    seen.add(id_of(root))
    os.utime(path, (T0 + 5, T0 + 5))
    seen.add(id_of(root))
    assert len(seen) == 4


def test_a_part_belongs_to_the_whole_stem(root: Path) -> None:
    write(root / "orthophotos/c_ortho.tiff")
    write(root / "orthophotos/c_ortho.tfw")
    write(root / "orthophotos/c_ortho.tiffw")
    write(root / "orthophotos/c.tfw")
    found = [path for path in paths_of(root) if "/c" in path]
    assert found == [f"orthophotos/c_ortho.{ending}" for ending in ("tfw", "tiff", "tiffw")]


# --- VRTs -----------------------------------------------------------------------------------


def write_raster(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=4,
        height=4,
        count=1,
        dtype="uint8",
        crs="EPSG:25832",
        transform=from_origin(0, 4, 1, 1),
        profile="BASELINE",  # no GeoTIFF tags: the georeference is in a world file
        tfw="YES",
    ) as target:
        target.write(np.ones((1, 4, 4), np.uint8))
    return path


def write_vrt(path: Path, *sources: str, relative: int = 1, tag: str = "SourceFilename") -> Path:
    lines = [f'<{tag} relativeToVRT="{relative}">{source}</{tag}>' for source in sources]
    return write(path, f"<VRTDataset>{''.join(lines)}</VRTDataset>".encode())


def test_a_vrt_written_by_gdal_counts_the_files_that_gdal_opens(tmp_path: Path) -> None:
    tile = write_raster(tmp_path / "orthophotos/tiles/1.tif")
    rasterio.shutil.copy(tile, tmp_path / "orthophotos/a.vrt", driver="VRT")
    opened: set[str] = set()
    for path in (tmp_path / "orthophotos/a.vrt", tile):
        with rasterio.open(path) as source:
            opened |= {Path(name).relative_to(tmp_path).as_posix() for name in source.files}
    parts = ("1.tif", "1.tfw", "1.tif.aux.xml")  # which holds the CRS
    counted = {"orthophotos/a.vrt", *(f"orthophotos/tiles/{part}" for part in parts)}
    assert set(paths_of(tmp_path)) == counted
    assert opened == counted


def test_vrts_in_vrts_are_followed_and_relative_to_each(tmp_path: Path) -> None:
    write(tmp_path / "orthophotos/flight/tiles/1.tif")
    write(tmp_path / "orthophotos/flight/tiles/1.tfw")
    write_vrt(tmp_path / "orthophotos/flight/day.vrt", "tiles/1.tif")
    write_vrt(tmp_path / "orthophotos/a.vrt", "flight/day.vrt")
    assert paths_of(tmp_path) == [
        "orthophotos/a.vrt",
        "orthophotos/flight/day.vrt",
        "orthophotos/flight/tiles/1.tfw",
        "orthophotos/flight/tiles/1.tif",
    ]


@pytest.mark.parametrize("tag", ["SourceFilename", "SourceDataset"])
def test_a_change_of_a_tile_moves_the_id(tmp_path: Path, tag: str) -> None:
    tile = write(tmp_path / "orthophotos/tiles/1.tif")
    write_vrt(tmp_path / "orthophotos/a.vrt", "tiles/1.tif", tag=tag)
    before = id_of(tmp_path)
    write(tile, b"other")
    assert id_of(tmp_path) != before


def test_a_source_in_all_bands_counts_once_and_a_vrt_of_itself_ends(tmp_path: Path) -> None:
    write(tmp_path / "orthophotos/1.tif")
    write_vrt(tmp_path / "orthophotos/2.vrt", "1.tif", "1.tif", "2.vrt", "../orthophotos/1.tif")
    assert paths_of(tmp_path) == ["orthophotos/1.tif", "orthophotos/2.vrt"]


def test_sources_outside_of_the_folder_have_a_spelling_that_survives_a_copy(tmp_path: Path) -> None:
    absolute = write(tmp_path / "store/abs.tif")
    write(tmp_path / "near/rel.tif")
    root = tmp_path / "data"
    write_vrt(root / "orthophotos/a.vrt", "../../near/rel.tif", str(absolute))
    assert paths_of(root) == sorted(["../near/rel.tif", absolute.as_posix(), "orthophotos/a.vrt"])
    copy = shutil.copytree(root, tmp_path / "copy")
    assert id_of(copy) == id_of(root)


def test_an_absolute_source_inside_of_the_folder_survives_a_copy(tmp_path: Path) -> None:
    tile = write(tmp_path / "data/orthophotos/tiles/1.tif")
    write_vrt(tmp_path / "data/orthophotos/a.vrt", str(tile), relative=0)
    copy = shutil.copytree(tmp_path / "data", tmp_path / "copy")
    assert id_of(copy) == id_of(tmp_path / "data")


def test_a_source_not_relative_to_its_vrt_is_sought_where_gdal_seeks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "here/tile.tif")
    write_vrt(tmp_path / "data/orthophotos/a.vrt", "tile.tif", relative=0)
    monkeypatch.chdir(tmp_path / "here")
    assert paths_of(tmp_path / "data") == ["orthophotos/a.vrt", "tile.tif"]


def test_sources_of_a_linked_vrt_lie_beside_its_target(tmp_path: Path) -> None:
    write(tmp_path / "store/tiles/1.tif")
    target = write_vrt(tmp_path / "store/mosaic.vrt", "tiles/1.tif")
    (tmp_path / "data/orthophotos").mkdir(parents=True)
    (tmp_path / "data/orthophotos/a.vrt").symlink_to(target)
    assert paths_of(tmp_path / "data") == ["orthophotos/a.vrt", "orthophotos/tiles/1.tif"]


@pytest.mark.parametrize(
    "spelling",
    [
        "tiles/1.tif",
        "vrt://tiles/1.tif?bands=1",
        'GPKG:"tiles/1.tif":dem',
        "GPKG:tiles/1.tif:dem",
        "GTIFF_DIR:2:tiles/1.tif",
        "/vsizip/tiles/1.tif/inner/2.tif",
    ],
)
def test_a_part_of_a_file_counts_as_the_file(tmp_path: Path, spelling: str) -> None:
    write(tmp_path / "orthophotos/tiles/1.tif")
    write_vrt(tmp_path / "orthophotos/a.vrt", spelling)
    assert paths_of(tmp_path) == ["orthophotos/a.vrt", "orthophotos/tiles/1.tif"]


@pytest.mark.parametrize("source", ["gone.tif", "/vsicurl/https://example.org/a.tif"])
def test_a_source_that_is_not_on_this_machine_is_named(tmp_path: Path, source: str) -> None:
    write_vrt(tmp_path / "orthophotos/a.vrt", source)
    with pytest.raises(DatasetError, match=r"orthophotos/a\.vrt: source .* not a file") as error:
        id_of(tmp_path)
    assert source in str(error.value)


def test_a_damaged_vrt_is_named(tmp_path: Path) -> None:
    write(tmp_path / "orthophotos/a.vrt", b"<VRTDataset>")
    with pytest.raises(DatasetError, match=r"orthophotos/a\.vrt: VRT cannot be read"):
        id_of(tmp_path)


# --- links and names ------------------------------------------------------------------------


def test_links_to_files_and_folders_count_with_what_they_lead_to(
    root: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    write(linked / "orthophotos/placeholder.txt")
    for path in root.glob("orthophotos/*"):
        (linked / "orthophotos" / path.name).symlink_to(path)
    for folder in ("dems", "annotations", "areas"):
        (linked / folder).symlink_to(root / folder, target_is_directory=True)
    before = id_of(root)
    assert id_of(linked) == before
    write(root / "orthophotos/a.tif", b"changed behind the link")
    assert id_of(linked) == id_of(root) != before


def test_a_link_that_leads_nowhere_is_named(root: Path) -> None:
    (root / "dems/b.tif").symlink_to(root / "gone.tif")
    with pytest.raises(DatasetError, match=r"dems/b\.tif: .*No such file.*gone\.tif"):
        id_of(root)


def test_a_folder_with_the_name_of_a_raster_is_named(root: Path) -> None:
    (root / "dems/b.tif").mkdir()
    with pytest.raises(DatasetError, match=r"dems/b\.tif: not a file"):
        id_of(root)


@FILES
@given(st.dictionaries(NAMES, st.just(b"x"), min_size=1, max_size=3))
def test_composed_and_decomposed_names_give_the_same_id(contents) -> None:
    contents = {"Friedhöfe": b"x", **contents}
    assume(len({name.casefold() for name in contents}) == len(contents))
    with new_folder() as linux, new_folder() as mac:
        write_all(linux, contents)
        write_all(mac, {unicodedata.normalize("NFD", name): b"x" for name in contents})
        assert id_of(linux) == id_of(mac)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_a_name_that_is_no_utf8_is_taken_as_it_is(tmp_path: Path) -> None:
    name = os.fsdecode("Nordfriedhöfe.tif".encode("latin-1"))
    try:
        write(tmp_path / "data/orthophotos" / name)
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    found = fingerprint(read_manifest(tmp_path / "data"))
    write_list(found, tmp_path / "list.json")
    assert read_list(tmp_path / "list.json") == found


def test_a_file_from_outside_of_the_folder_is_listed_by_its_name(tmp_path: Path) -> None:
    orthophoto = write(tmp_path / "data/orthophotos/a.tif")
    shared = write(tmp_path / "office/all.gpkg")
    cemeteries = (Cemetery("a", orthophoto, annotations=shared),)
    found = fingerprint(Manifest(tmp_path / "data", cemeteries))
    assert [file.path for file in found.files] == ["orthophotos/a.tif", "outside/all.gpkg"]


def test_a_common_file_inside_of_the_folder_is_listed_once_in_any_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "data"
    write(root / "orthophotos/a.tif")
    write(root / "orthophotos/b.tif")
    shared = write(root / "annotations/all.gpkg")
    monkeypatch.chdir(tmp_path)
    spellings = [shared, Path("data/annotations/all.gpkg"), root / "dems/../annotations/all.gpkg"]
    (root / "dems").mkdir()
    listed = [
        [file.path for file in fingerprint(read_manifest(root, shared)).files]
        for shared in spellings
    ]
    assert listed == [["annotations/all.gpkg", "orthophotos/a.tif", "orthophotos/b.tif"]] * 3


# --- by content -----------------------------------------------------------------------------


def test_a_change_of_the_same_size_in_the_same_second_needs_content(
    root: Path, cache: Path
) -> None:
    path = write(root / "orthophotos/a.tif", b"before")
    by_times, by_content = id_of(root), content_id(root, cache)
    write(path, b"behind", T0 * NANO + 5)
    assert id_of(root) == by_times
    assert content_id(root, cache) != by_content


def test_the_content_id_survives_lost_times_and_is_another_id(root: Path, cache: Path) -> None:
    copy = shutil.copytree(root, root.parent / "clone", copy_function=shutil.copyfile)
    assert id_of(copy) != id_of(root)
    assert content_id(copy, cache) == content_id(root, cache) != id_of(root)


def test_the_content_id_moves_when_a_file_is_renamed(root: Path, cache: Path) -> None:
    before = content_id(root, cache)
    (root / "dems/a.tif").rename(root / "dems/a_dem.tif")
    assert content_id(root, cache) != before


class Watcher:
    """A progress that remembers what it was shown."""

    def __init__(self) -> None:
        self.tasks: list[tuple[float | None, str]] = []
        self.done = 0.0
        self.notes: list[str] = []

    @contextmanager
    def task(
        self, description: str, total: float | None, unit: str = ""
    ) -> Iterator[Callable[[float], None]]:
        self.tasks.append((total, unit))

        def advance(amount: float) -> None:
            self.done += amount

        yield advance

    def note(self, message: str) -> None:
        self.notes.append(message)

    warn = note


def test_only_bytes_that_are_new_are_read_and_counted_in_mb(root: Path, cache: Path) -> None:
    manifest = read_manifest(root)
    first, second, third = Watcher(), Watcher(), Watcher()
    found = content_fingerprint(manifest, cache, first)
    megabytes = sum(file.size for file in found.files) / 1e6
    assert first.tasks == [(pytest.approx(megabytes), "MB")]
    assert first.done == pytest.approx(megabytes)
    assert content_fingerprint(manifest, cache, second) == found
    assert second.tasks == []
    write(root / "dems/a.tif", b"new", (T0 + 9) * NANO)
    content_fingerprint(manifest, cache, third)
    assert third.done == pytest.approx(3e-6)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"version": 1}',
        b'{"version": 99, "files": {}}',
        b'{"version": 1, "files": {"a": [1]}}',
        b'{"version": 1, "files": {"a": [1, 2, "short"]}}',
    ],
)
def test_a_damaged_cache_is_built_anew(root: Path, cache: Path, damage: bytes) -> None:
    expected = content_id(root, cache)
    cache.write_bytes(damage)
    assert content_id(root, cache) == expected
    assert len(json.loads(cache.read_text("utf-8"))["files"]) == 6
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]


def test_a_cache_that_cannot_be_written_is_reported_and_the_id_is_given(
    root: Path, cache: Path, tmp_path: Path
) -> None:
    write(tmp_path / "file")
    watcher = Watcher()
    found = content_fingerprint(read_manifest(root), tmp_path / "file/hashes.json", watcher)
    assert found.id == content_id(root, cache)
    assert len(watcher.notes) == 1
    assert "hashes cannot be remembered" in watcher.notes[0]


def test_a_file_written_just_now_is_not_remembered(root: Path, cache: Path) -> None:
    (root / "dems/a.tif").write_bytes(b"now")
    content_id(root, cache)
    remembered = json.loads(cache.read_text("utf-8"))["files"]
    assert len(remembered) == 5
    assert os.path.realpath(root / "dems/a.tif") not in remembered


def test_what_was_hashed_before_a_fault_is_remembered(root: Path, cache: Path) -> None:
    class Meddler(Watcher):
        """Writes to a file while it is read."""

        @contextmanager
        def task(
            self, description: str, total: float | None, unit: str = ""
        ) -> Iterator[Callable[[float], None]]:
            yield lambda amount: write(root / "orthophotos/b.tif", b"meddled", T0 * NANO + 1)

    with pytest.raises(DatasetError, match=r"b\.tif: file changes while it is being read"):
        content_fingerprint(read_manifest(root), cache, Meddler())
    assert len(json.loads(cache.read_text("utf-8"))["files"]) == 5  # all before the last


# --- the list and what changed --------------------------------------------------------------

RECORDS = st.builds(
    FileRecord,
    path=st.sampled_from(["orthophotos/a.tif", "orthophotos/ö.tif", "dems/a.tif", "areas/a.gpkg"]),
    size=st.integers(0, 3),
    mtime=st.integers(T0, T0 + 2),
    sha256=st.sampled_from([None, "0" * 64, "1" * 64]),
)
LISTS = st.lists(RECORDS, unique_by=lambda record: record.path).map(
    lambda records: Fingerprint("0" * 8, "times", tuple(sorted(records, key=lambda r: r.path)))
)


@FILES
@given(LISTS)
def test_a_written_list_is_read_back_the_same(found: Fingerprint) -> None:
    with new_folder() as folder:
        write_list(found, folder / "new/list.json")
        assert read_list(folder / "new/list.json") == found
        assert [path.name for path in (folder / "new").iterdir()] == ["list.json"]


@settings(deadline=None)
@given(LISTS, LISTS)
def test_every_file_that_differs_is_reported_once(old: Fingerprint, new: Fingerprint) -> None:
    reported: list[str] = []
    for change in compare(old, new):
        reported += [change.path, change.detail] if change.kind == "renamed" else [change.path]
    stamps = [{f.path: (f.size, f.mtime) for f in files} for files in (old.files, new.files)]
    assert len(reported) == len(set(reported))
    assert set(reported) >= {path for path, _ in stamps[0].items() ^ stamps[1].items()}


@settings(deadline=None)
@given(LISTS)
def test_a_list_does_not_differ_from_itself(found: Fingerprint) -> None:
    assert compare(found, found) == ()
    assert list(in_words(found, found)) == ["still 00000000", "nothing changed"]


def changes_after(root: Path, change: Callable[[], object]) -> dict[str, str]:
    old = fingerprint(read_manifest(root))
    change()
    return {c.path: c.kind for c in compare(old, fingerprint(read_manifest(root)))}


def test_words_for_added_removed_and_grown_files(root: Path) -> None:
    def change() -> None:
        write(root / "dems/b.tif", b"fresh")
        (root / "areas/b.gpkg").unlink()
        write(root / "orthophotos/a.tif", b"grown by a good deal")

    assert changes_after(root, change) == {
        "dems/b.tif": "added",
        "areas/b.gpkg": "removed",
        "orthophotos/a.tif": "changed",
    }


def test_a_renamed_file_is_known_by_size_and_time(root: Path) -> None:
    old = fingerprint(read_manifest(root))
    (root / "dems/a.tif").rename(root / "dems/a_dsm.tif")
    (change,) = compare(old, fingerprint(read_manifest(root)))
    assert str(change) == "renamed: dems/a.tif -> dems/a_dsm.tif"


def test_a_renamed_and_touched_file_is_known_by_its_content(root: Path, cache: Path) -> None:
    old = content_fingerprint(read_manifest(root), cache)
    (root / "dems/a.tif").rename(root / "dems/a_dsm.tif")
    os.utime(root / "dems/a_dsm.tif", (T0 + 7, T0 + 7))
    changes = compare(old, content_fingerprint(read_manifest(root), cache))
    assert changes == (Change("renamed", "dems/a.tif", "dems/a_dsm.tif"),)


def test_only_hashes_distinguish_a_touched_file_from_a_changed_one(root: Path, cache: Path) -> None:
    by_times = fingerprint(read_manifest(root))
    by_content = content_fingerprint(read_manifest(root), cache)
    os.utime(root / "dems/a.tif", (T0 + 60, T0 + 60))
    (doubtful,) = compare(by_times, fingerprint(read_manifest(root)))
    (certain,) = compare(by_content, content_fingerprint(read_manifest(root), cache))
    assert (doubtful.kind, certain.kind) == ("changed", "touched only")
    assert "perhaps touched only" in doubtful.detail
    assert str(certain) == (
        "touched only: dems/a.tif (time 2020-09-13 12:27:40 UTC, was 2020-09-13 12:26:40)"
    )


def test_lists_of_two_kinds_are_compared_by_what_both_know(root: Path, cache: Path) -> None:
    old = content_fingerprint(read_manifest(root), cache)
    new = fingerprint(read_manifest(root))
    assert compare(old, new) == ()
    assert "not comparable" in next(iter(in_words(old, new)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"id": "1", "basis": "stars", "files": []}',
        '{"id": "1", "basis": "times", "files": [{"path": "a", "size": "1", "mtime": 1}]}',
    ],
)
def test_a_file_that_is_no_list_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "old.json").write_text(text, "utf-8")
    with pytest.raises(DatasetError, match=r"old\.json: not a list of files .*--manifest"):
        read_list(tmp_path / "old.json")


def test_a_missing_list_and_an_unwritable_place_are_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.json: file is missing"):
        read_list(tmp_path / "gone.json")
    with pytest.raises(ExportError, match=r"list\.json: cannot be written"):
        write_list(fingerprint(read_manifest(root)), write(tmp_path / "file") / "list.json")
