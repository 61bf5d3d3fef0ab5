"""Bad options, settings files, environment variables and outputs: refused before any work."""

from pathlib import Path

import pytest
from office import ANNOTATIONS, DEM, ORTHOPHOTO, PREDICT, TINY_SETS, TRAIN, assert_refuses

HPO = f"hpo -q {TINY_SETS}"
EVALUATE = "evaluate drawn/prediction.gpkg drawn/truth.gpkg"

# A command line -> words of its line.
COMPARE = "compare drawn/truth.gpkg drawn/prediction.gpkg"
OPTIONS: dict[str, list[str]] = {
    "trian": ["No such command", "trian"],
    "train --epoch 3": ["No such option", "--epoch"],
    "train data": ["unexpected extra argument", "data"],
    "train --epochs": ["--epochs", "requires an argument"],
    "export starter": ["Missing option", "--deepness"],
    "import-annotations": ["Missing argument", "SOURCE"],
    "export-chips": ["Missing option", "--out"],
    "qgis-plugin --set prediction.tta=3": ["prediction.tta", "found 3"],
    "train --epochs three": ["--epochs", "valid integer"],
    "train --epochs 0": ["training.epochs", "greater than or equal to 1"],
    "train --epochs -3": ["training.epochs"],
    "train --epochs 99999999999999999999": ["training.epochs"],
    "train --channels rgba": ["data.channels", "rgba"],
    "train --channels ''": ["data.channels"],
    "train --max-time soon": ["duration", "soon"],
    "train --max-time 1h-5m": ["duration", "1h-5m"],
    "train --max-time ''": ["duration"],
    "train --seed -1": ["training.seed"],
    "train --seed 1.5": ["--seed", "valid integer"],
    "train -q --data nowhere": ["nowhere", "data folder is missing"],
    "train -q --data notes.txt": ["notes.txt", "data folder is a file"],
    "train -q --data ''": ["no orthophotos"],
    "train --name starter": ["starter", "--name"],
    "train --name ''": ["--name", "empty"],
    "train --name ' '": ["--name", "empty"],
    f"train --set 'data.train={'[' * 5000}'": ["data.train"],
    "train --resume nobody": ["no runs are recorded"],
    "train --resume nobody --name other": ["--resume", "--name"],
    "train --resume nobody --init-from starter": ["--resume", "--init-from"],
    "train --init-from nobody": ["nobody", "no such model"],
    "train --init-from models:/graves@champion": ["models:/graves@champion", "no such model"],
    "train --init-from runs:/0123": ["runs:/0123", "no such model"],
    "train --init-from notes.txt": ["notes.txt"],
    "train --config none.toml": ["none.toml", "missing"],
    "train --config data": ["data", "not a file"],
    "train --set": ["--set", "requires an argument"],
    "train --set x": ["--set", "x", "section.key=value"],
    "train --set =3": ["--set", "=3"],
    "train --set training.epoch=3": ["training.epoch", "--set"],
    "train --set training=3": ["training", "--set"],
    "train --set training.epochs=[1": ["training.epochs"],
    "train --set training.learning_rate=fast": ["training.learning_rate", "fast"],
    "train --set training.learning_rate=nan": ["training.learning_rate"],
    "train --set training.learning_rate=-1": ["training.learning_rate"],
    "train --set chips.size_px=0": ["chips.size_px"],
    "train --set chips.size_px=65": ["chips.size_px"],
    "train --set chips.batch_size=0": ["chips.batch_size"],
    "train --set grid.gsd_m=0": ["grid.gsd_m"],
    "train --set grid.gsd_m=inf": ["grid.gsd_m"],
    f"{TRAIN} --set model.encoder=cat": ["cat"],
    "train --set model.encoder=''": ["model.encoder"],
    "train --set data.val_share=1": ["data.val_share"],
    "train -q --set 'data.test=[\"berta\"]'": ["berta", "anna"],
    "train -q --set 'data.train=[\"anna\"]' --set 'data.test=[\"anna\"]'": ["anna"],
    "train --set 'data.train=\"anna\"'": ["data.train"],
    "train --set Training.epochs=3": ["Training"],
    "train --set data.guard_m=nan": ["data.guard_m"],
    "train --set work_dir=notes.txt": ["notes.txt", "work_dir"],
    "train --set work_dir=notes.txt/runs": ["notes.txt", "work_dir"],
    f"{TRAIN} --set tracking.uri=ftp://nowhere": ["ftp://nowhere"],
    f"{TRAIN} --set tracking.uri=nonsense": ["nonsense"],
    "train --set tracking.experiment=''": ["tracking.experiment"],
    "check nowhere": ["nowhere", "missing"],
    "check notes.txt": ["notes.txt", "data folder is a file"],
    "check data --channels x": ["data.channels"],
    "dataset-id nowhere": ["nowhere", "missing"],
    "dataset-id notes.txt": ["notes.txt", "data folder is a file"],
    "dataset-id data --diff nothing.json": ["nothing.json", "missing"],
    "dataset-id data --diff notes.txt": ["notes.txt", "not a list of files"],
    "dataset-id data --diff data": ["data", "not a file"],
    "dataset-id data --manifest notes.txt": ["notes.txt", ".json"],
    "dataset-id data --manifest data": ["data", "folder"],
    "dataset-id data --manifest notes.txt/a.json": ["notes.txt"],
    "hpo": ["Missing option", "--study"],
    "hpo --study a --workers 0": ["--workers"],
    "hpo --study a --workers many": ["--workers", "valid integer"],
    "hpo --study a --trials 0": ["--trials"],
    "hpo --study a --preset nothing": ["nothing", "pilot"],
    "hpo --study a --epochs 3..": ["--epochs", "3.."],
    "hpo --study a --epochs 0": ["training.epochs"],
    "hpo --study a --epochs 9..3": ["training.epochs"],
    "hpo --study a --timeout soon": ["soon"],
    f"{HPO} --study a --storage ftp://x": ["ftp://x"],
    f"{HPO} --study a --storage nonsense": ["nonsense"],
    "hpo --study a --data nowhere": ["nowhere", "missing"],
    "hpo --study decode --model nobody": ["nobody", "no such model"],
    "hpo --study decode": ["no finished training"],
    "hpo --study ''": ["--study", "empty"],
    "predict-cemetery": ["Missing argument", "ORTHOPHOTO"],
    "predict-cemetery data --out maps --ray head -q": ["--ray head", "HOST:PORT"],
    "predict-cemetery data --out maps --ray ray://head:10001 -q": ["ray://head", "HOST:PORT"],
    f"predict-cemetery {ORTHOPHOTO} --ray local -q": ["--ray belongs to several"],
    f"{HPO} --study a --ray head:6379": ["hpo.storage is a file", "postgresql"],
    "predict-cemetery none.tif -q": ["none.tif", "missing"],
    "predict-cemetery notes.txt -q": ["notes.txt"],
    f"predict-cemetery {ORTHOPHOTO} --model nobody --overwrite -q": ["nobody", "no such model"],
    f"predict-cemetery {ORTHOPHOTO} --model data --overwrite -q": ["data", "not a gravecli model"],
    f"predict-cemetery {ORTHOPHOTO} --tta 3": ["prediction.tta"],
    f"predict-cemetery {ORTHOPHOTO} --device tpu": ["prediction.device", "tpu"],
    f"predict-cemetery {ORTHOPHOTO} --crs EPSG:1": ["EPSG:1", "unknown CRS"],
    f"predict-cemetery {ORTHOPHOTO} --crs Mars": ["Mars", "unknown CRS"],
    f"predict-cemetery {ORTHOPHOTO} --crs EPSG:4978": ["EPSG:4978"],
    f"{PREDICT} --crs EPSG:2193": ["--crs"],
    f"{PREDICT} --dem none.tif": ["none.tif", "missing"],
    f"{PREDICT} --dem notes.txt": ["notes.txt"],
    f"{PREDICT} --truth none.gpkg": ["none.gpkg", "missing"],
    f"{PREDICT} --aoi none.gpkg": ["none.gpkg", "missing"],
    f"{PREDICT} --out data": ["data", "folder"],
    f"{PREDICT} --out a": ["no ending", ".gpkg"],
    f"{PREDICT} --out notes.txt/a.gpkg": ["notes.txt", "not a folder"],
    f"{PREDICT} --out {'x' * 300}.gpkg": ["xxx", "too long"],
    f"{PREDICT} --out {ANNOTATIONS} --truth {ANNOTATIONS}": ["--out and --truth"],
    f"{PREDICT} --out drawn/../{ORTHOPHOTO}": [".tif", ".gpkg"],
    f"{PREDICT} --preview a.jpg": [".jpg", ".png"],
    f"{PREDICT} --preview data": ["data", "folder"],
    f"{PREDICT} --preview notes.txt/a.png": ["notes.txt", "not a folder"],
    f"{PREDICT} --set prediction.tile_px=1": ["prediction.tile_px"],
    f"{PREDICT} --set prediction.halo_px=999": ["halo_px"],
    f"{PREDICT} --set prediction.decoding.body_threshold=2": ["body_threshold"],
    f"{PREDICT} --set outlines.shared_gap_m=-1": ["outlines.shared_gap_m"],
    "evaluate": ["nothing to evaluate"],
    "evaluate drawn/prediction.gpkg": ["nothing to evaluate"],
    f"{EVALUATE} --cross-validate": ["--cross-validate"],
    f"{EVALUATE} --epochs 3": ["--epochs", "--cross-validate"],
    "evaluate --cross-validate --area a.gpkg": ["--area", "--cross-validate"],
    f"evaluate --cross-validate -q {TINY_SETS}": ["data"],
    f"{EVALUATE} --report a.pdf": [".pdf", ".html"],
    f"{EVALUATE} --report drawn": ["drawn", "folder"],
    f"{EVALUATE} --report notes.txt/a.html": ["notes.txt", "not a folder"],
    "compare": ["Missing argument 'OLD'"],
    "compare anna.gpkg": ["Missing argument 'NEW'"],
    "compare none.gpkg anna.gpkg": ["none.gpkg", "missing"],
    "compare anna.gpkg none.gpkg": ["none.gpkg", "missing"],
    "compare notes.txt anna.gpkg": ["notes.txt"],
    "compare anna.gpkg data": ["data"],
    f"{COMPARE} --out drawn/truth.gpkg": ["drawn/truth.gpkg", "same file"],
    f"{COMPARE} --out notes.txt": ["notes.txt", ".gpkg"],
    f"{COMPARE} --out drawn": ["drawn", "folder"],
    f"{COMPARE} --out anna.gpkg": ["anna.gpkg", "--overwrite"],
    f"{COMPARE} --old-layer nothing": ["nothing", "drawn/truth.gpkg"],
    f"{COMPARE} --new-layer nothing": ["nothing", "drawn/prediction.gpkg"],
    f"{COMPARE} --id nothing": ["nothing"],
    f"{COMPARE} --lang fr": ["output.language"],
    f"{COMPARE} --set compare.max_shift_m=-1": ["compare.max_shift_m"],
    "join": ["Missing argument 'MAP'"],
    "join anna.gpkg": ["Missing argument 'LIST'"],
    "join none.gpkg notes.txt": ["none.gpkg"],
    "join anna.gpkg none.csv": ["none.csv", "missing"],
    "join anna.gpkg notes.txt": ["notes.txt"],
    "join anna.gpkg data": ["data"],
    "join notes.txt drawn/truth.gpkg": ["notes.txt"],
    "join anna.gpkg drawn/truth.gpkg --out anna.gpkg": ["anna.gpkg", "same file"],
    "join anna.gpkg drawn/truth.gpkg --map field": ["field"],
    "join anna.gpkg drawn/truth.gpkg --map colour=x": ["colour"],
    "join anna.gpkg drawn/truth.gpkg --on Feld": ["Feld"],
    "join anna.gpkg drawn/truth.gpkg --crs EPSG:1": ["EPSG:1"],
    f"{EVALUATE} --area none.gpkg": ["none.gpkg", "missing"],
    "tidy": ["Missing argument", "MAP"],
    "tidy none.gpkg": ["none.gpkg", "missing"],
    "tidy data": ["data"],
    "tidy notes.txt": ["notes.txt", "cannot be read"],
    "tidy drawn/truth.gpkg": ["drawn/truth.gpkg", "not a map of gravecli"],
    "tidy data/orthophotos/anna.tif": ["anna.tif", "cannot be read"],
    "tidy anna.gpkg --dem none.tif": ["none.tif"],
    "tidy anna.gpkg --dem notes.txt": ["notes.txt"],
    "tidy anna.gpkg --dem data/dems/anna.tif --dtm none.tif": ["none.tif"],
    "tidy anna.gpkg --lang fr": ["language", "fr"],
    "verify": ["Missing argument", "MAP"],
    "verify none.gpkg": ["none.gpkg", "missing"],
    "verify data": ["data", "not a file"],
    "verify notes.txt": ["notes.txt", "not a map of gravecli"],
    "verify drawn/truth.gpkg": ["drawn/truth.gpkg", "not a map of gravecli"],
    f"verify {DEM}": [DEM, "not a map of gravecli"],
    "verify anna.gpkg --only urns": ["urns", "graves, tables"],
    "verify anna.gpkg --only graves --model x": ["x is named", "model"],
    "verify anna.gpkg --dem none.tif": ["none.tif"],
    "verify anna.gpkg --model nobody": ["nobody", "no such model"],
    "runs": ["no runs are recorded"],
    "runs --limit 0": ["--limit"],
    "runs --set tracking.uri=nonsense": ["nonsense"],
    "model-info": ["Missing argument", "MODEL"],
    "model-info nobody": ["nobody", "no such model"],
    "model-info notes.txt": ["notes.txt", "not a gravecli model"],
    "model-info data": ["data", "not a gravecli model"],
    "model-info models:/graves/3": ["models:/graves/3", "no such model"],
    "model-info models:/": ["models:/", "no such model"],
    "model-info ''": ["no such model"],
    f"model-info {'x' * 5000}": ["no such model"],
    "dashboard": ["no study yet"],
    "dashboard --study nothing": ["no study yet"],
    "dashboard --port 0": ["--port"],
    "dashboard --port 70000": ["--port"],
    "dashboard --storage nonsense": ["nonsense"],
    "sample-data": ["data/orthophotos", "already holds files"],
    f"{PREDICT} --out a.doc": [".doc"],
    "sample-data new --cemeteries 0": ["--cemeteries"],
    "sample-data new --size-m 5": ["--size-m"],
    "sample-data new --size-m nan": ["--size-m"],
    "sample-data new --seed -1": ["--seed"],
    "sample-data new --crs EPSG:4326": ["EPSG:4326"],
    "sample-data new --crs Mars": ["Mars"],
    "sample-data new --variety moon": ["moon", "central-europe"],
    "sample-data notes.txt": ["notes.txt"],
    "sample-data notes.txt/new": ["notes.txt"],
    "config --config none.toml": ["none.toml", "missing"],
    "config --set x.y=1": ["x"],
    "config --init --config notes.txt": ["notes.txt", ".toml"],
    "config --init --set training.epochs=5": ["--set", "--init", "training.epochs=5"],
    "config --init --config data": ["data", "folder"],
    "config --init --config notes.txt/a.toml": ["notes.txt"],
}


@pytest.mark.parametrize("command", OPTIONS, ids=lambda text: text.replace(TINY_SETS, "…")[:90])
def test_a_bad_option(office: Path, command: str) -> None:
    assert_refuses(office, command, *OPTIONS[command])


# Content of gravecli.toml -> words of the line beside the name of the file.
FILES: dict[str, tuple[bytes, str]] = {
    "no TOML": (b"epochs 3", "not a TOML file"),
    "half a table": (b"[training", "not a TOML file"),
    "two values": (b"[training]\nepochs = 3\nepochs = 4\n", "not a TOML file"),
    "no UTF-8": (b'[data]\nroot = "Gr\xe4ber"\n', "not a TOML file"),
    "UTF-16 cut short": ('[data]\nroot = "x"\n'.encode("utf-16")[:-1], "not a TOML file"),
    "bytes of zero": (bytes(99), "not a TOML file"),
    "deep": (b"a = " + b"[" * 100_000, ""),
    "JSON": (b'{"training": {"epochs": 3}}', "not a TOML file"),
    "unknown section": (b"[trainings]\nepochs = 3\n", "trainings"),
    "unknown key": (b"[training]\nepoch = 3\n", "training.epoch"),
    "section in capitals": (b"[Training]\nepochs = 3\n", "Training"),
    "wrong type": (b'[training]\nepochs = "three"\n', "training.epochs"),
    "out of bounds": (b"[training]\nepochs = -1\n", "training.epochs"),
    "no number": (b"[training]\nlearning_rate = nan\n", "training.learning_rate"),
    "a value for a section": (b"training = 3\n", "training"),
    "a list for a section": (b"[[training]]\nepochs = 3\n", "training"),
    "a study that is none": (b"[hpo.studies]\nmine = 3\n", "hpo.studies.mine"),
    "a search space that is none": (
        b"[hpo.studies.mine.search_space]\n'training.epochs' = {low = 9, high = 1}\n",
        "training.epochs",
    ),
    "a work folder that is a file": (b'work_dir = "notes.txt"\n', "notes.txt"),
    "a password in the wrong place": (b'[data]\nchannels = "pg://a:secret@h/x"\n', "a:***@h"),
}


@pytest.mark.parametrize("command", ["config", "train -q"])
@pytest.mark.parametrize("name", FILES)
def test_a_bad_settings_file(office: Path, name: str, command: str) -> None:
    content, words = FILES[name]
    (office / "gravecli.toml").write_bytes(content)
    assert_refuses(office, command, "gravecli.toml", words)


@pytest.mark.parametrize("name", ["no TOML", "unknown key"])
def test_a_bad_settings_file_that_is_named(office: Path, name: str) -> None:
    (office / "mine.toml").write_bytes(FILES[name][0])
    for command in ("check data", "runs", "verify anna.gpkg", "dashboard", PREDICT, HPO):
        study = " --study a" if command == HPO else ""
        assert_refuses(office, f"{command}{study} --config mine.toml", "mine.toml", FILES[name][1])


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("GRAVE_TRAINING__EPOCHS", "three", ["training.epochs", "environment"]),
        ("GRAVE_TRAINING__EPOCHS", "-1", ["training.epochs", "environment"]),
        ("GRAVE_TRAINING__EPOCH", "3", ["GRAVE_TRAINING__EPOCH"]),
        ("GRAVE_TRAINING", "3", ["training"]),
        ("GRAVE_TRAIN", "3", ["GRAVE_TRAIN"]),
        ("GRAVE_DATA__TRAIN", "anna", ["GRAVE_DATA__TRAIN", "JSON"]),
        ("GRAVE_DATA__TRAIN", "[", ["GRAVE_DATA__TRAIN", "JSON"]),
        ("GRAVE_WORK_DIR", "notes.txt", ["notes.txt", "environment"]),
        ("GRAVE_DATA__ROOT", "nowhere", ["nowhere"]),
    ],
)
def test_a_bad_variable(
    office: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: list[str]
) -> None:
    monkeypatch.setenv(variable, value)
    assert_refuses(office, "train -q", *words)


@pytest.mark.parametrize("option", ["--out earlier.gpkg", "--preview photo.png", "--preview p.png"])
def test_files_of_others_are_kept(office: Path, option: str) -> None:
    for name in ("earlier.gpkg", "photo.png"):
        (office / name).write_bytes(b"somebody's work")
    (office / "p.png").mkdir()
    command = f"{PREDICT.replace('--overwrite', '')} {option}"
    assert_refuses(office, command, option.split()[1])


def test_the_catalogue_names_every_command() -> None:
    from grave_cli.cli.app import app

    tried = {command.split()[0] for command in OPTIONS}
    assert {command.name for command in app.registered_commands} - tried == set()
