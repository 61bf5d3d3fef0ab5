"""Files, folders and lists in, cemeteries to map out."""

from pathlib import Path

import pytest
from support import Listener

from grave_cli.batch.jobs import (
    Shard,
    are_many,
    list_jobs,
    read_shard,
    single_orthophoto,
    slurm_shard,
)
from grave_cli.errors import DatasetError, SettingsError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def listed(*given: str, dem_folder: str | None = None) -> dict[str, tuple[str, str]]:
    folder = Path(dem_folder) if dem_folder else None
    jobs = list_jobs([Path(one) for one in given], Path("maps"), folder)
    return {job.cemetery: (job.orthophoto.name, job.dem.name if job.dem else "") for job in jobs}


def test_one_file_is_one_and_everything_else_are_many(here: Path) -> None:
    touch("a.tif", "folder/b.tif", "@odd.tif")
    assert not are_many([Path("a.tif")])
    assert not are_many([Path("@odd.tif")])  # a file of that name is no list
    for many in (["a.tif", "a.tif"], ["folder"], ["@list.txt"]):
        assert are_many([Path(one) for one in many])


def test_a_data_folder_gives_its_orthophotos_and_their_dems(here: Path) -> None:
    touch("data/orthophotos/b_ortho.tif", "data/orthophotos/a.tif", "data/dems/b_dsm.tif")
    assert listed("data") == {"a": ("a.tif", ""), "b": ("b_ortho.tif", "b_dsm.tif")}
    assert list(listed("data")) == ["a", "b"]


def test_a_flat_folder_gives_orthophotos_with_the_dems_beside_them(here: Path) -> None:
    touch("flat/a-orthophoto.tif", "flat/a-dsm.tif", "flat/b.tif", "flat/notes.txt")
    assert listed("flat") == {"a": ("a-orthophoto.tif", "a-dsm.tif"), "b": ("b.tif", "")}


def test_a_dem_without_a_name_is_no_orthophoto(here: Path) -> None:
    touch("flat/orthomosaic.tif", "flat/dem.tif")
    assert listed("flat") == {"orthomosaic": ("orthomosaic.tif", "dem.tif")}


def test_a_list_names_one_orthophoto_a_line_relative_to_itself(here: Path) -> None:
    touch("lists/a.tif", "b.tif")
    Path("lists/all.txt").write_text("\ufeff# spring\na.tif\n\n../b.tif\n", encoding="utf-8")
    assert listed("@lists/all.txt", "b.tif") == {"a": ("a.tif", ""), "b": ("b.tif", "")}


def test_a_folder_of_dems_replaces_the_layout(here: Path) -> None:
    touch("a.tif", "a_dsm.tif", "heights/a_dtm.tif", "b.tif")
    found = listed("a.tif", "b.tif", dem_folder="heights")
    assert found == {"a": ("a.tif", "a_dtm.tif"), "b": ("b.tif", "")}


PROJECT = ("odm_orthophoto/odm_orthophoto.tif", "odm_dem/dsm.tif", "odm_dem/dtm.tif")


def test_a_project_of_opendronemap_is_one_cemetery_and_a_folder_of_projects_are_many(
    here: Path,
) -> None:
    touch(*(f"flights/st_anna-all/{name}" for name in PROJECT))
    touch(f"flights/north/assets/{PROJECT[0]}", "flights/notes/read.txt")
    project = Path("flights/st_anna-all")
    assert not are_many([project])
    assert single_orthophoto(project) == project / PROJECT[0]
    assert are_many([Path("flights")])
    found = {"st_anna": ("odm_orthophoto.tif", "dsm.tif"), "north": ("odm_orthophoto.tif", "")}
    assert listed("flights") == found
    assert listed("flights/st_anna-all", "flights/north") == found
    Path("list.txt").write_text("flights/st_anna-all\nflights/north\n")
    assert listed("@list.txt") == found
    (job,) = list_jobs([project], Path("maps"))
    assert job.heights.dtm == project / PROJECT[2]
    assert job.out == Path("maps/st_anna.gpkg")


def test_pictures_that_are_passed_over_are_named(here: Path) -> None:
    touch("flat/a.tif", "flat/b.jpg", "flat/north/c.tif", "flat/dems/a.tif", "flat/notes/read.txt")
    touch("flat/a.png", "flat/maps/a.gpkg", "flat/heights/st_anna.tif")
    touch(*(f"flat/st_anna/{name}" for name in PROJECT))
    progress = Listener()
    folders = Path("flat/maps"), Path("flat/heights")
    jobs = list_jobs([Path("flat")], *folders, progress=progress)
    assert [job.cemetery for job in jobs] == ["a", "st_anna"]
    assert progress.notes == [
        f"{Path('flat/b.jpg')} is not read; expected .tif",
        f"{Path('flat/north')} is not read; name it, too",
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["a.tif", "missing.tif"], "missing.tif: orthophoto is missing"),
        (["@missing.txt"], "missing.txt: file is missing"),
        (["@empty.txt"], "empty.txt: list is empty"),
        (["@latin.txt"], "latin.txt: list cannot be read"),
        (["empty"], "empty: no orthophotos in this folder"),
        (["a.tif", "other/a.tif"], "two orthophotos are named a"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(
    here: Path, given: list[str], words: str
) -> None:
    touch("a.tif", "other/a.tif", "empty/a.jpg")
    Path("empty.txt").write_text("# nothing\n", encoding="utf-8")
    Path("latin.txt").write_bytes("Grün.tif".encode("latin-1"))
    with pytest.raises(DatasetError, match=words):
        listed(*given)


def test_two_dems_beside_one_orthophoto_are_refused(here: Path) -> None:
    touch("a.tif", "a_dsm.tif", "a_dem.tif")
    with pytest.raises(DatasetError, match="two files for cemetery a"):
        listed("a.tif", "a.tif")


def test_shards_share_the_cemeteries_out_without_a_gap(here: Path) -> None:
    touch(*(f"data/orthophotos/{name}.tif" for name in "abcdefg"))
    jobs = list_jobs([Path("data")], Path("maps"))
    shares = [read_shard(f"{index}/3").take(jobs) for index in (1, 2, 3)]
    assert sorted(map(len, shares)) == [2, 2, 3]
    assert sorted(job.cemetery for share in shares for job in share) == list("abcdefg")


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5"])
def test_wrong_shards_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="shard cannot be read"):
        read_shard(text)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"TASK_ID": "0", "TASK_COUNT": "4", "TASK_MIN": "0"}, Shard(0, 4)),
        ({"TASK_ID": "4", "TASK_COUNT": "4", "TASK_MIN": "1"}, Shard(3, 4)),
        ({"TASK_ID": "20", "TASK_COUNT": "3", "TASK_MIN": "0", "TASK_STEP": "10"}, Shard(2, 3)),
        ({"TASK_ID": "2", "TASK_COUNT": "3", "TASK_MIN": "0", "TASK_MAX": "2"}, Shard(2, 3)),
    ],
)
def test_a_slurm_job_array_gives_the_shard(
    variables: dict[str, str], expected: Shard | None
) -> None:
    environ = {f"SLURM_ARRAY_{name}": value for name, value in variables.items()}
    assert slurm_shard(environ) == expected


@pytest.mark.parametrize(
    "variables",
    [
        {"TASK_ID": "7", "TASK_COUNT": "2", "TASK_MIN": "3"},
        {"TASK_ID": "3", "TASK_COUNT": "2", "TASK_MIN": "3", "TASK_MAX": "7"},
    ],
)
def test_a_slurm_job_array_with_gaps_is_refused(variables: dict[str, str]) -> None:
    environ = {f"SLURM_ARRAY_{name}": value for name, value in variables.items()}
    with pytest.raises(SettingsError, match=r"gaps cannot be divided .*the whole array again"):
        slurm_shard(environ)


def test_folders_are_listed_once_and_not_for_each_cemetery(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        touch(f"data/orthophotos/c{number}.tif", f"data/dems/c{number}_dsm.tif")
        touch(f"flat/c{number}.tif", f"flat/c{number}_dsm.tif")
    lists: list[Path] = []
    for name in ("iterdir", "glob"):
        inner = getattr(Path, name)

        def counted(folder: Path, *pattern: str, inner=inner):
            lists.append(folder)
            return inner(folder, *pattern)

        monkeypatch.setattr(Path, name, counted)
    expected = {f"c{number}": (f"c{number}.tif", f"c{number}_dsm.tif") for number in range(9)}
    for given, dem_folder in (("data", None), ("data", "data/dems"), ("flat", None)):
        lists.clear()
        assert listed(given, dem_folder=dem_folder) == expected
        assert len(lists) <= 3, lists
