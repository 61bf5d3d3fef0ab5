"""A data folder is taken apart into cemeteries: every file has one owner, and litter has none."""

import os
import unicodedata
from pathlib import Path

import pytest

from grave_cli.dataset.manifest import read_manifest, unread_notes
from grave_cli.dataset.named_files import HeightFiles, sibling_heights, unnamed_heights
from grave_cli.dataset.splits import assign_parts
from grave_cli.errors import DatasetError
from grave_cli.settings.inputs import DataSettings

PLACES = (("orthophotos/", ".tif"), ("annotations/", ".gpkg"))

LITTER = [
    "notes.txt",
    "project.qgz",
    "Thumbs.db",
    ".DS_Store",
    "._north.tif",
    "north.tif.aux.xml",
    "north.tif.ovr",
    "north.tfw",
    "north.gpkg-wal",
    "north.gpkg-shm",
]


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_files_of_every_kind_find_their_cemetery(tmp_path: Path) -> None:
    write(
        tmp_path,
        "orthophotos/north_ortho.tif",
        "orthophotos/south.TIFF",
        "dems/north_dsm.vrt",
        "annotations/north_graves.shp",
        "areas/north_area.gpkg",
        "masks/south_mask.jp2",
    )
    north, south = read_manifest(tmp_path).cemeteries
    assert [path.name for path in north.files] == [
        "north_ortho.tif",
        "north_dsm.vrt",
        "north_graves.shp",
        "north_area.gpkg",
    ]
    assert north.area == tmp_path / "areas/north_area.gpkg"
    assert (south.name, south.mask, south.area) == (
        "south",
        tmp_path / "masks/south_mask.jp2",
        None,
    )
    assert south.labels == south.mask


@pytest.mark.parametrize(
    ("orthophoto", "dem", "annotations"),
    [
        (
            "Task-of-2024-05-01-orthophoto.tif",
            "Task-of-2024-05-01-dsm.tif",
            "Task-of-2024-05-01.gpkg",
        ),
        ("Task-orthophoto.tif", "Task-dtm.tif", "Task-orthophoto.gpkg"),
        ("north_transparent_mosaic_group1.tif", "north_dsm.tif", "north.gpkg"),
        ("north Orthomosaic.tif", "north DEM.tif", "north.graves.shp"),
        (unicodedata.normalize("NFC", "Jörgen.tif"),) * 2
        + (unicodedata.normalize("NFD", "Jörgen.gpkg"),),
    ],
)
def test_names_that_other_programs_give_find_each_other(
    tmp_path: Path, orthophoto: str, dem: str, annotations: str
) -> None:
    write(tmp_path, f"orthophotos/{orthophoto}", f"dems/{dem}", f"annotations/{annotations}")
    (cemetery,) = read_manifest(tmp_path).cemeteries
    assert len(list(cemetery.files)) == 3
    assert sibling_heights(cemetery.orthophoto) == HeightFiles(cemetery.dem)


def test_data_that_is_not_read_is_named_with_what_is_taken_instead(tmp_path: Path) -> None:
    write(
        tmp_path,
        "orthophotos/north.tif",
        "orthophotos/north.jpg",
        "dems/north.asc",
        "annotations/north.gpkg",
        "annotations/north.kml",
        "all.gpkg",
        "notes.txt",
    )
    manifest = read_manifest(tmp_path)
    (cemetery,) = manifest.cemeteries
    assert (cemetery.dem, cemetery.annotations) == (None, tmp_path / "annotations/north.gpkg")
    notes = [note.removeprefix(f"{tmp_path}/") for note in unread_notes(manifest)]
    assert notes == [
        "all.gpkg is not read; expected in orthophotos, dems, annotations, masks, areas",
        "annotations/north.kml is not read; north.gpkg is used",
        "dems/north.asc is not read; expected .tif, .tiff, .vrt, .gpkg, .jp2, .url",
        "orthophotos/north.jpg is not read; north.tif is used",
    ]
    assert list(unread_notes(read_manifest(tmp_path, tmp_path / "all.gpkg"))) == [
        note for note in unread_notes(manifest) if "all.gpkg" not in note
    ]


def test_files_in_a_folder_of_their_own_are_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        "orthophotos/north.tif",
        "orthophotos/south/south.tif",
        "annotations/north/north.shp",
        "annotations/notes/todo.txt",
    )
    manifest = read_manifest(tmp_path)
    notes = [note.removeprefix(f"{tmp_path}/") for note in unread_notes(manifest)]
    assert notes == [
        "annotations/north is a folder, which is not read; move its files into annotations",
        "orthophotos/south is a folder, which is not read; move its files into orthophotos",
    ]
    with pytest.raises(DatasetError, match=r"found north, which is not read.*move its files into"):
        assign_parts(manifest, DataSettings())


def test_the_tiles_of_a_mosaic_may_lie_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/north.vrt", "orthophotos/tiles/1.tif")
    assert not list(unread_notes(read_manifest(tmp_path)))


def test_a_kml_is_taken_where_there_is_nothing_better(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/north.tif", "annotations/north.kml", "areas/north.dxf")
    (cemetery,) = read_manifest(tmp_path).cemeteries
    assert cemetery.annotations == tmp_path / "annotations/north.kml"
    assert cemetery.area == tmp_path / "areas/north.dxf"


def test_errors_about_missing_files_name_the_one_that_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/north.jpg", "orthophotos/north.jgw")
    with pytest.raises(DatasetError, match=r"found north\.jpg, .*gdal_translate .*north\.tif"):
        read_manifest(tmp_path)
    write(tmp_path, "orthophotos/north.tif", "annotations/north.dwg", "dems/north.asc")
    with pytest.raises(DatasetError, match=r"found north\.dwg, which is not read.*GeoPackage"):
        assign_parts(read_manifest(tmp_path), DataSettings())
    write(tmp_path, "annotations/north.gpkg")
    with pytest.raises(DatasetError, match=r"found north\.asc, .*gdal_translate .*north\.tif"):
        assign_parts(read_manifest(tmp_path), DataSettings(channels="rgb+dem"))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["Ortho/north.tif", "DEM/north.tif"], "found Ortho/, .*; rename it to orthophotos"),
        (["../orthophotos/north.tif", "north.tif"], "found a folder of a data folder: here, "),
        (["data/orthophotos/north.tif"], "found a data folder in it, .*; name .*data"),
        (
            ["north.tif", "north_dsm.tif", "north.gpkg"],
            "found north.gpkg, north.tif, north_dsm.tif",
        ),
        (["orthophotos/north.geotiff"], "found north.geotiff, .*; rename it to north.tif"),
        (["orthophotos/north.img"], "found north.img, .*`gdal_translate north.img north.tif`"),
    ],
)
def test_data_in_another_place_is_named(tmp_path: Path, names: list[str], says: str) -> None:
    root = tmp_path / "here"
    root.mkdir()
    write(root, *names)
    with pytest.raises(DatasetError, match=says):
        read_manifest(root)


def test_names_that_differ_in_capital_letters_are_named(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/north.tif", "annotations/North.gpkg")
    with pytest.raises(DatasetError, match=r"capital letters \(found north.tif\); rename"):
        read_manifest(tmp_path)


def test_a_file_is_no_data_folder(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/north.tif")
    with pytest.raises(DatasetError, match="data folder is a file"):
        read_manifest(tmp_path / "orthophotos/north.tif")


def test_folders_of_another_name_are_named(tmp_path: Path) -> None:
    write(
        tmp_path, "orthophotos/north.tif", "DSM/north.tif", "Annotation/north.gpkg", "images/a.jpg"
    )
    manifest = read_manifest(tmp_path)
    assert list(unread_notes(manifest)) == [
        f"{tmp_path / 'Annotation'} is not read; expected a folder named annotations",
        f"{tmp_path / 'DSM'} is not read; expected a folder named dems",
    ]
    with pytest.raises(
        DatasetError, match=r"found Annotation, .*; rename the folder to annotations"
    ):
        assign_parts(manifest, DataSettings())


@pytest.mark.parametrize(
    ("names", "dem", "dtm"),
    [
        (["orthomosaic.tif", "dem.tif", "map.gpkg", "report.pdf"], "dem.tif", None),
        (["odm_orthophoto.tif", "dsm.tif", "dtm.tif"], "dsm.tif", "dtm.tif"),
        (["result.tif", "DSM.tif"], "DSM.tif", None),
        (["orthomosaic.tif", "dem.tif", "dsm.tif"], None, None),
        (["orthomosaic.tif", "dtm.tif"], None, None),
        (["north.tif", "south.tif", "dem.tif"], None, None),
    ],
)
def test_heights_without_a_name_belong_to_the_only_orthophoto(
    tmp_path: Path, names: list[str], dem: str | None, dtm: str | None
) -> None:
    write(tmp_path, *names)
    expected = HeightFiles(*(None if name is None else tmp_path / name for name in (dem, dtm)))
    assert sibling_heights(tmp_path / names[0]) == expected


def test_files_that_may_be_heights_are_found(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/north.tif", "orthophotos/south.tif", "dems/north.asc")
    flat = (
        "orthomosaic.tif",
        "dem.tif",
        "Site_DSM_export.tif",
        "elevation.bil",
        "dsm.shp",
        "roof.tif",
    )
    write(tmp_path / "flat", *flat)

    assert unnamed_heights(tmp_path / "orthophotos/north.tif") == (tmp_path / "dems/north.asc",)
    assert unnamed_heights(tmp_path / "orthophotos/south.tif") == ()
    assert unnamed_heights(tmp_path / "missing/south.tif") == ()
    found = unnamed_heights(tmp_path / "flat/orthomosaic.tif")
    assert [path.name for path in found] == ["Site_DSM_export.tif", "dem.tif", "elevation.bil"]


def test_a_name_that_is_no_utf8_has_its_place_among_the_splits(tmp_path: Path) -> None:
    for name in (b"a", b"b", b"S\xfcd"):
        write(tmp_path, *(f"{place}{os.fsdecode(name)}{end}" for place, end in PLACES))
    splits = {
        part.cemetery.name: part.split
        for part in assign_parts(read_manifest(tmp_path), DataSettings())
    }
    assert len(splits) == 3


def test_names_are_matched_whole(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/c_1.tif", "orthophotos/c_10.tif", "areas/c_10.gpkg")
    manifest = read_manifest(tmp_path)
    assert manifest["c_1"].area is None
    assert manifest["c_10"].area is not None


@pytest.mark.parametrize("folder", ["orthophotos", "dems", "annotations", "masks", "areas"])
@pytest.mark.parametrize("name", LITTER)
def test_litter_is_passed_over(tmp_path: Path, folder: str, name: str) -> None:
    write(tmp_path, "orthophotos/north.tif", "annotations/north.gpkg", f"{folder}/{name}")
    (cemetery,) = read_manifest(tmp_path).cemeteries
    assert len(list(cemetery.files)) == 2


@pytest.mark.parametrize(
    "name", ["dems/sud.tif", "annotations/sud.gpkg", "masks/sud.tif", "areas/sud.gpkg"]
)
def test_a_file_without_orthophoto_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, "orthophotos/north.tif", name)
    with pytest.raises(DatasetError, match=rf"{name}: no orthophoto .*orthophotos/sud\.tif"):
        read_manifest(tmp_path)


def test_two_areas_for_one_cemetery_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/n.tif", "areas/n.gpkg", "areas/n_area.geojson")
    with pytest.raises(DatasetError, match=r"areas: two files .*n\.gpkg and n_area\.geojson"):
        read_manifest(tmp_path)


def test_two_kinds_of_labels_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/n.tif", "annotations/n.gpkg", "masks/n.tif")
    with pytest.raises(DatasetError, match=r"masks/n\.tif: cemetery n has annotations and a mask"):
        read_manifest(tmp_path)


def test_a_missing_folder_and_a_folder_without_orthophotos_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere: data folder is missing"):
        read_manifest(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"orthophotos: no orthophotos"):
        read_manifest(write(tmp_path, "dems/n.tif"))


def test_an_unknown_cemetery_is_answered_with_those_there_are(tmp_path: Path) -> None:
    manifest = read_manifest(write(tmp_path, "orthophotos/a.tif", "orthophotos/b.tif"))
    with pytest.raises(DatasetError, match=r"found c, expected a, b"):
        manifest["c"]


def test_the_dem_beside_an_orthophoto_is_found(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/a_ortho.tif", "orthophotos/b.tif", "dems/a_dem.tif", "loose.tif")
    found = sibling_heights(tmp_path / "orthophotos/a_ortho.tif")
    assert found == HeightFiles(tmp_path / "dems/a_dem.tif")
    assert sibling_heights(tmp_path / "orthophotos/b.tif") == HeightFiles()
    assert sibling_heights(tmp_path / "loose.tif") == HeightFiles()


@pytest.mark.parametrize(
    ("dem", "dtm"), [("a_dsm.tif", "a_dtm.tif"), ("a.vrt", "a-dtm.tif"), ("a_DEM.tif", "a_DTM.tif")]
)
def test_a_dtm_beside_another_dem_is_the_ground_below_it(
    tmp_path: Path, dem: str, dtm: str
) -> None:
    write(tmp_path, "orthophotos/a_ortho.tif", f"dems/{dem}", f"dems/{dtm}")
    (cemetery,) = read_manifest(tmp_path).cemeteries
    assert (cemetery.dem, cemetery.dtm) == (tmp_path / "dems" / dem, tmp_path / "dems" / dtm)
    assert cemetery.dtm in cemetery.files  # it changes the id of the data set
    assert sibling_heights(cemetery.orthophoto) == HeightFiles(cemetery.dem, cemetery.dtm)


def test_the_pair_of_ground_without_graves_and_a_pair_beside_an_orthophoto_are_found(
    tmp_path: Path,
) -> None:
    write(tmp_path, "orthophotos/a.tif", "ground/orthophotos/g.tif")
    write(tmp_path, "ground/dems/g_dsm.tif", "ground/dems/g_dtm.tif")
    (ground,) = read_manifest(tmp_path).ground
    assert ground.dtm == tmp_path / "ground/dems/g_dtm.tif"
    write(tmp_path, "flat/b_ortho.tif", "flat/b_dsm.tif", "flat/b_ortho_dtm.tif")
    beside = HeightFiles(tmp_path / "flat/b_dsm.tif", tmp_path / "flat/b_ortho_dtm.tif")
    assert sibling_heights(tmp_path / "flat/b_ortho.tif") == beside


def test_a_geodatabase_of_the_town_is_a_folder_and_serves_all_cemeteries(tmp_path: Path) -> None:
    town = tmp_path / "town.gdb"
    write(tmp_path, "orthophotos/a.tif", "orthophotos/b.tif", "town.gdb/gdb")
    manifest = read_manifest(tmp_path, town)
    assert [cemetery.annotations for cemetery in manifest.cemeteries] == [town, town]
    assert manifest.unread == ()


def test_a_linked_orthophoto_has_the_heights_of_the_data_folder(tmp_path: Path) -> None:
    """Large files often lie on another drive; training finds their heights as well."""
    write(tmp_path, "drive/a_ortho.tif", "drive/b.tif", "drive/b_dsm.tif")
    write(tmp_path, "data/dems/a.tif", "data/dems/c.asc")
    (tmp_path / "data/orthophotos").mkdir()
    for link, file in (("a.tif", "a_ortho.tif"), ("b.tif", "b.tif"), ("c.tif", "b.tif")):
        (tmp_path / "data/orthophotos" / link).symlink_to(tmp_path / "drive" / file)
    found = {name: tmp_path / "data/orthophotos" / f"{name}.tif" for name in "abc"}
    assert sibling_heights(found["a"]) == HeightFiles(tmp_path / "data/dems/a.tif")
    assert sibling_heights(found["b"]) == HeightFiles(tmp_path / "drive/b_dsm.tif")
    assert unnamed_heights(found["c"])[0] == tmp_path / "data/dems/c.asc"


def test_capital_letters_of_the_folder_do_not_matter_where_the_system_ignores_them(
    tmp_path: Path,
) -> None:
    write(tmp_path, "Orthophotos/a.tif", "dems/a.tif")
    photo = tmp_path / "Orthophotos/a.tif"
    if not (tmp_path / "orthophotos").exists():
        assert sibling_heights(photo) == HeightFiles()
        (tmp_path / "orthophotos").symlink_to("Orthophotos")  # as on Windows and macOS
    assert sibling_heights(photo) == HeightFiles(tmp_path / "dems/a.tif")


def test_two_surfaces_or_two_grounds_are_still_one_too_many(tmp_path: Path) -> None:
    write(tmp_path, "orthophotos/a.tif", "dems/a_dsm.tif", "dems/a_dem.tif", "dems/a_dtm.tif")
    with pytest.raises(DatasetError, match=r"\(found a_dem\.tif and a_dsm"):
        read_manifest(tmp_path)
    (tmp_path / "dems/a_dem.tif").rename(tmp_path / "dems/a-dtm.vrt")
    with pytest.raises(DatasetError, match=r"\(found a-dtm\.vrt and a_dtm"):
        read_manifest(tmp_path)


def test_ground_without_graves_has_a_folder_of_its_own(tmp_path: Path) -> None:
    write(
        tmp_path,
        "orthophotos/north.tif",
        "annotations/north.gpkg",
        "ground/orthophotos/park_ortho.tif",
        "ground/orthophotos/yard.tif",
        "ground/dems/park_dsm.tif",
        "ground/areas/yard.gpkg",
    )
    found = read_manifest(tmp_path)
    assert [cemetery.name for cemetery in found.cemeteries] == ["north"]
    park, yard = found.ground
    assert (park.name, park.is_ground, park.labels) == ("park", True, None)
    assert park.dem == tmp_path / "ground" / "dems" / "park_dsm.tif"
    assert (yard.dem, yard.area) == (None, tmp_path / "ground" / "areas" / "yard.gpkg")
    assert found["yard"] is yard


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("ground/annotations/park.gpkg", r"annotations.park\.gpkg: ground without graves has no"),
        ("ground/masks/park.tif", r"masks.park\.tif: ground without graves has no labels"),
        ("ground/dems/other.tif", r"other\.tif: no orthophoto for this file in ground/dems"),
        ("ground/orthophotos/north.tif", r"north\.tif: two orthophotos are named north"),
    ],
)
def test_a_slip_in_the_ground_folder_is_named(tmp_path: Path, extra: str, message: str) -> None:
    write(tmp_path, "orthophotos/north.tif", "ground/orthophotos/park.tif", extra)
    with pytest.raises(DatasetError, match=message):
        read_manifest(tmp_path)
