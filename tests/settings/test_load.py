"""Settings come from five places, the stronger over the weaker, and nothing is dropped silently."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from grave_cli.errors import SettingsError
from grave_cli.settings.load import LoadedSettings, load_settings, with_values
from grave_cli.settings.nested import flatten, merge
from grave_cli.settings.studies import Choice, FloatRange, IntRange
from grave_cli.settings.tree import Settings

KEY = "training.epochs"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(
    toml: str | None = None, environ: dict[str, str] | None = None, *sets: str, **options: Any
) -> LoadedSettings:
    config = None
    if toml is not None:
        config = Path("my.toml")
        config.write_text(toml, encoding="utf-8")
    return load_settings(config, sets, options, environ or {})


def refusal(*args: Any, **options: Any) -> str:
    with pytest.raises(SettingsError) as error:
        load(*args, **options)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


LAYERS: list[tuple[str, Any]] = [
    ("my.toml", {"toml": "[training]\nepochs = 11"}),
    ("environment (GRAVE_…)", {"environ": {"GRAVE_TRAINING__EPOCHS": "12"}}),
    ("--set", {"sets": [f"{KEY}=13"]}),
    ("command line", {"options": {KEY: 14}}),
]


@pytest.mark.parametrize("subset", range(2 ** len(LAYERS)))
def test_the_strongest_of_the_layers_that_set_a_key_wins_and_is_named(subset: int) -> None:
    used = [index for index in range(len(LAYERS)) if subset & 1 << index]
    given: dict[str, Any] = {}
    for index in used:
        given |= LAYERS[index][1]
    loaded = load(
        given.get("toml"), given.get("environ"), *given.get("sets", []), **given.get("options", {})
    )
    assert loaded.settings.training.epochs == (11 + used[-1] if used else 40)
    assert loaded.origin(KEY) == (LAYERS[used[-1]][0] if used else "default")
    assert loaded.origin("training.seed") == "default"


def test_layers_that_set_neighbours_do_not_erase_each_other() -> None:
    loaded = load("training.seed = 1", {"GRAVE_TRAINING__EPOCHS": "2"}, "training.patience=3")
    training = loaded.settings.training
    assert (training.seed, training.epochs, training.patience) == (1, 2, 3)
    assert set(loaded.origins) == {"training.seed", "training.epochs", "training.patience"}


def test_an_option_that_was_not_given_sets_nothing() -> None:
    loaded = load("[training]\nepochs = 11", None, **{KEY: None})
    assert loaded.settings.training.epochs == 11


def test_gravecli_toml_of_the_working_directory_is_read_when_no_file_is_named() -> None:
    Path("gravecli.toml").write_text("grid.gsd_m = 0.1")
    loaded = load()
    assert loaded.settings.grid.gsd_m == 0.1
    assert loaded.origin("grid.gsd_m") == "gravecli.toml"


def test_a_named_config_file_replaces_the_one_of_the_working_directory() -> None:
    Path("gravecli.toml").write_text("grid.gsd_m = 0.1")
    assert load("[training]\nepochs = 11").settings.grid.gsd_m == 0.04


def test_a_named_config_file_that_is_missing_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^absent\.toml: config file is missing"):
        load_settings(Path("absent.toml"), environ={})


@pytest.mark.parametrize("content", [b"epochs = ", b"[training\n", b"name = '\xff\xfe'"])
def test_a_config_file_that_is_no_toml_is_named(content: bytes) -> None:
    Path("bad.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"^bad\.toml: not a TOML file: ") as error:
        load_settings(Path("bad.toml"), environ={})
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        ("# Größe\n".encode("cp1252"), "save it as UTF-8"),
        (b'[data]\nroot = "C:\\daten"\n', "write paths with / or in 'single quotes'"),
    ],
)
def test_slips_of_windows_in_a_config_file_have_a_remedy(content: bytes, remedy: str) -> None:
    Path("bad.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=remedy):
        load_settings(Path("bad.toml"), environ={})


@pytest.mark.parametrize("path", ["C:\\friedhof", "D:\\nord", "C:\\daten\\temp"])
def test_a_backslash_that_toml_reads_as_a_control_character_is_refused(path: str) -> None:
    written = path.replace("\\daten", "/daten")
    with pytest.raises(SettingsError, match=r"data\.root .* control character .*single quotes"):
        load(f'[data]\nroot = "{written}"')
    with pytest.raises(SettingsError, match=r"data\.root \(from --set\)"):
        load_settings(assignments=[f'data.root="{written}"'], environ={})
    assert load(f"[data]\nroot = '{path}'").settings.data.root == Path(path)


def test_a_condition_may_run_over_several_lines() -> None:
    found = load('[data]\nannotation_filter = """A = 1\nOR B = 2"""').settings
    assert found.data.annotation_filter == "A = 1\nOR B = 2"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_config_file_of_any_windows_editor_is_read(encoding: str) -> None:
    text = "[training]\r\nepochs = 7\r\n[data]\r\nannotation_filter = \"ART = 'Gräber'\"\r\n"
    Path("gravecli.toml").write_bytes(text.encode(encoding))
    found = load_settings(environ={}).settings
    assert (found.training.epochs, found.data.annotation_filter) == (7, "ART = 'Gräber'")


def test_a_section_in_capital_letters_is_unknown() -> None:
    assert refusal("[Training]\nepochs = 7", {}, "training.epochs=9") == (
        "unknown setting Training (from my.toml) (expected training); "
        "`gravecli config` lists all settings"
    )


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    found = load(
        'work_dir = "~/laeufe"\n[data]\nannotations = "~/alle.gpkg"',
        **{"data.root": Path("~/daten")},
    ).settings
    assert found.work_dir == Path("/home/anna/laeufe")
    assert found.data.annotations == "/home/anna/alle.gpkg"
    assert found.data.root == Path("/home/anna/daten")
    assert load(**{"data.root": Path("~daten")}).settings.data.root == Path("~daten")


@pytest.mark.parametrize("key", ["epochz", "training.epochz", "prediction.decoding.epochz"])
@pytest.mark.parametrize("layer", ["my.toml", "environment", "--set", "command line"])
def test_an_unknown_key_is_refused_with_its_name_and_origin(key: str, layer: str) -> None:
    name = "GRAVE_" + key.upper().replace(".", "__")
    arguments = {
        "my.toml": lambda: refusal(f"{key} = 3"),
        "environment": lambda: refusal(None, {name: "3"}),
        "--set": lambda: refusal(None, None, f"{key}=3"),
        "command line": lambda: refusal(**{key: 3}),
    }
    message = arguments[layer]()
    assert layer in message
    assert (name if layer == "environment" else key) in message


@pytest.mark.parametrize(
    ("assignment", "way"),
    [
        ("tracking.experiment=2024", """: 'tracking.experiment="2024"'"""),
        ("data.train=north", 'such as ["north"]'),
        ("data.train=[north, south]", 'such as ["north", "south"]'),
    ],
)
def test_a_value_without_quotes_is_answered_with_its_spelling(assignment: str, way: str) -> None:
    assert way in refusal(None, None, assignment)


@pytest.mark.parametrize(
    "name", ["GRAVE_", "GRAVE_TRAINING__", "GRAVE_WORK_DIR__X", "GRAVE_TRAINING__EPOCHS__X"]
)
def test_environment_names_that_lead_nowhere_are_refused(name: str) -> None:
    assert name in refusal(None, {name: "1"})


def test_other_peoples_environment_is_left_alone() -> None:
    assert load(None, {"GRAVEYARD": "1", "TRAINING__EPOCHS": "2"}).origins == {}


def test_an_environment_value_that_is_no_json_names_its_variable() -> None:
    message = refusal(None, {"GRAVE_DATA__TRAIN": "west", "GRAVE_DATA__ROOT": "here"})
    assert "GRAVE_DATA__TRAIN" in message
    assert "'west'" in message


def test_a_section_in_the_environment_gives_way_to_its_single_values() -> None:
    environ = {"GRAVE_TRAINING__SEED": "2", "GRAVE_TRAINING": '{"seed": 1, "epochs": 5}'}
    training = load(None, environ).settings.training
    assert (training.seed, training.epochs) == (2, 5)


@pytest.mark.parametrize(
    "assignment",
    [
        "training.epochs=0",
        "training.epochs=1.5",
        "training.epochs=many",
        "training.learning_rate=nan",
        "training.max_time_s=inf",
        "grid.gsd_m=0.001",
        "grid.gsd_m=-inf",
        "chips.size_px=100",
        "data.channels=cir",
        "training.epochs=1\nseed=3",
        "tracking.registered_model=town/graves",
        "tracking.registered_model=graves:2",
        "tracking.registered_model=..",
        "model.decoder_channels=[4]",
    ],
)
def test_a_value_out_of_bounds_is_refused_with_key_and_origin(assignment: str) -> None:
    message = refusal(None, None, assignment)
    assert assignment.partition("=")[0] in message
    assert "(from --set)" in message


@pytest.mark.parametrize(
    ("assignment", "fault"),
    [
        ("elevation.height_range_m=[3, -1]", "lower < upper"),
        ("elevation.features=['slope', 'slope']", "twice"),
        ("chips.scale_range=[2, 1]", "low <= high"),
        ("prediction.tile_px=64", "tile_px must exceed twice halo_px"),
    ],
)
def test_values_that_contradict_each_other_name_their_origin(assignment: str, fault: str) -> None:
    message = refusal(None, None, assignment)
    assert fault in message
    assert "(from --set)" in message


def test_a_limit_that_is_no_number_is_no_limit() -> None:
    assert "elevation.height_range_m" in refusal(None, None, "elevation.height_range_m=[nan, 3]")


def test_the_origin_of_a_bad_value_is_not_that_of_a_key_with_a_similar_name() -> None:
    message = refusal("[data]\nval = ['a']", {"GRAVE_DATA__VAL_SHARE": "2"})
    assert "data.val_share (from environment" in message
    assert "my.toml" not in message


@pytest.mark.parametrize("text", ["training.epochs", "=3", "", " = 3"])
def test_a_set_without_key_or_value_is_refused(text: str) -> None:
    assert f"--set cannot be read (found {text!r}" in refusal(None, None, text)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("model.encoder=resnet18", "model.encoder", "resnet18"),
        ('model.encoder="resnet18"', "model.encoder", "resnet18"),
        ("tracking.uri=sqlite:///a=b.db", "tracking.uri", "sqlite:///a=b.db"),
        (" data.train = ['a', 'b'] ", "data.train", ("a", "b")),
        ("chips.rotate=false", "chips.rotate", False),
        ("training.learning_rate=1e-4", "training.learning_rate", 1e-4),
        ("data.root=/a b/c", "data.root", Path("/a b/c")),
    ],
)
def test_set_takes_toml_values_and_bare_words(text: str, key: str, value: object) -> None:
    assert dict(flatten(load(None, None, text).settings.model_dump()))[key] == value


def test_search_spaces_may_be_written_as_tables_or_dotted_keys() -> None:
    tables = load(
        "[hpo.studies.mine.search_space.training]\n"
        "learning_rate = { low = 1e-4, high = 1e-2, log = true }\n"
        "[hpo.studies.mine.search_space.prediction.decoding]\n"
        "body_threshold = { low = 0.3, high = 0.7 }\n"
    )
    dotted = load(
        "[hpo.studies.mine.search_space]\n"
        '"training.learning_rate" = { low = 1e-4, high = 1e-2, log = true }\n'
        '"prediction.decoding.body_threshold" = { low = 0.3, high = 0.7 }\n'
    )
    space = tables.settings.hpo.studies["mine"].search_space
    assert space == {
        "training.learning_rate": FloatRange(low=1e-4, high=1e-2, log=True),
        "prediction.decoding.body_threshold": FloatRange(low=0.3, high=0.7),
    }
    assert dotted.settings == tables.settings
    assert dotted.origins == tables.origins


@pytest.mark.parametrize("layer", ["toml", "environ", "set"])
def test_a_preset_overridden_in_one_key_keeps_its_others(layer: str) -> None:
    loaded = {
        "toml": lambda: load("[hpo.studies.pilot.search_space]\ntraining.epochs.high = 99"),
        "environ": lambda: load(
            None,
            {"GRAVE_HPO__STUDIES__PILOT__SEARCH_SPACE": '{"training": {"epochs": {"high": 99}}}'},
        ),
        "set": lambda: load(None, None, "hpo.studies.pilot.search_space.training.epochs.high=99"),
    }[layer]()
    ours, shipped = loaded.settings.hpo.studies, Settings().hpo.studies
    assert ours["default"] == shipped["default"]
    assert ours["pilot"].trials == 20
    expected = {**shipped["pilot"].search_space, KEY: IntRange(low=30, high=99)}
    assert ours["pilot"].search_space == expected


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("{ choices = [1e-4, 1e-3] }", Choice(choices=(1e-4, 1e-3))),
        ("{ low = 1e-6 }", FloatRange(low=1e-6, high=1e-2, log=True)),
    ],
)
def test_what_a_preset_searches_can_become_of_another_kind(domain: str, expected: object) -> None:
    loaded = load(f"[hpo.studies.pilot.search_space]\ntraining.learning_rate = {domain}")
    assert loaded.settings.hpo.studies["pilot"].search_space["training.learning_rate"] == expected


def test_real_numbers_can_replace_the_whole_ones_of_a_preset() -> None:
    loaded = load("[hpo.studies.pilot.search_space]\ntraining.epochs = { low = 0.5, high = 2.5 }")
    space = loaded.settings.hpo.studies["pilot"].search_space
    assert space[KEY] == FloatRange(low=0.5, high=2.5)


@pytest.mark.parametrize(
    "domain",
    [
        "{ low = 'few', high = 0.5 }",
        "{ low = 2, high = 1 }",
        "{ low = 0.0, high = 0.5, log = true }",
        "{ choices = [] }",
        "{ low = nan, high = 0.5 }",
        "3",
    ],
)
def test_a_bad_domain_is_refused_in_the_users_words(domain: str) -> None:
    message = refusal(f"[hpo.studies.mine.search_space]\ntraining.bce_weight = {domain}")
    assert "hpo.studies.mine.search_space.training.bce_weight" in message
    assert "my.toml" in message
    assert "[" not in message.partition("(found")[0]  # nor in those of the validator


@pytest.mark.parametrize("key", ["training", "hpo.studies.mine", "hpo.studies.a.search_space.b"])
def test_a_value_in_place_of_a_table_is_refused_without_the_name_of_a_class(key: str) -> None:
    assert f"setting {key} (from --set): Input should be a table" in refusal(None, None, f"{key}=3")


def test_settings_by_themselves_read_neither_environment_nor_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("gravecli.toml").write_text("grid.gsd_m = 0.1")
    Path(".env").write_text("GRAVE_GRID__GSD_M=0.1")
    monkeypatch.setenv("GRAVE_GRID__GSD_M", "0.1")
    assert Settings().grid.gsd_m == 0.04
    assert Settings(work_dir=Path("x")).grid.gsd_m == 0.04


def test_the_processes_environment_is_read_only_when_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRAVE_GRID__GSD_M", "0.1")
    assert load_settings().settings.grid.gsd_m == 0.1
    assert load_settings(environ={}).settings.grid.gsd_m == 0.04
    assert os.environ["GRAVE_GRID__GSD_M"] == "0.1"


def test_changed_values_are_validated_and_the_old_tree_stays() -> None:
    old = load(None, None, "data.root=here").settings
    new = with_values(old, {KEY: 7, "prediction.decoding.body_threshold": 0.4})
    assert (new.training.epochs, new.prediction.decoding.body_threshold) == (7, 0.4)
    assert new.data.root == Path("here")
    assert old.training.epochs == 40
    with pytest.raises(SettingsError, match=r"training\.epochs"):
        with_values(old, {KEY: 0})
    with pytest.raises(SettingsError, match=r"training\.epochz"):
        with_values(old, {"training.epochz": 1})
    with pytest.raises(SettingsError, match="halo_px"):
        with_values(old, {"prediction.tile_px": 64})


def test_changing_nothing_gives_the_same_tree_whatever_is_searched() -> None:
    settings = load(
        "[hpo.studies.mine.search_space]\n"
        "training.epochs = { low = 1, high = 9, step = 2 }\n"
        "training.bce_weight = { low = 0.0, high = 1.0 }\n"
        "model.encoder = { choices = ['resnet18', 'resnet34'] }\n"
    ).settings
    assert with_values(settings, {}) == settings


def test_a_tree_is_frozen_at_every_depth() -> None:
    settings = Settings()
    for model, name in [
        (settings, "work_dir"),
        (settings.training, "epochs"),
        (settings.prediction.decoding, "body_threshold"),
        (settings.hpo.studies["pilot"], "trials"),
    ]:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(model, name, 1)


def test_flattening_names_every_leaf_by_its_path() -> None:
    tree = {"a": 1, "b": {"c": [2], "d": {"e": {}, "f": None}}, "g": {}}
    assert list(flatten(tree)) == [
        ("a", 1),
        ("b.c", [2]),
        ("b.d.e", {}),
        ("b.d.f", None),
        ("g", {}),
    ]


leaves = st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
trees = st.recursive(
    st.dictionaries(st.sampled_from("abc"), leaves, max_size=3),
    lambda child: st.dictionaries(st.sampled_from("abc"), leaves | child, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(lower=trees, upper=trees)
def test_merging_keeps_every_value_of_the_upper_tree_and_changes_neither(
    lower: dict[str, Any], upper: dict[str, Any]
) -> None:
    before = repr((lower, upper))
    merged = dict(flatten(merge(lower, upper)))
    for key, value in flatten(upper):
        if value != {}:
            assert merged[key] == value
    assert repr((lower, upper)) == before
    assert merge(lower, {}) == lower
    assert merge({}, upper) == upper


def test_threads_set_for_all_programs_count_where_nothing_else_sets_them() -> None:
    def threads(environ: dict[str, str], *assignments: str) -> int:
        return load_settings(environ=environ, assignments=assignments).settings.prediction.threads

    assert threads({}) == 0
    assert threads({"OMP_NUM_THREADS": "3"}) == 3
    assert threads({"OMP_NUM_THREADS": "4,2"}) == 0
    assert threads({"OMP_NUM_THREADS": "3", "GRAVE_PREDICTION__THREADS": "2"}) == 2
    assert threads({"OMP_NUM_THREADS": "3"}, "prediction.threads=1") == 1
    assert threads({"OMP_NUM_THREADS": "3"}, "prediction.threads=0") == 3  # as in config --init
    assert threads({"OMP_NUM_THREADS": "0"}) == 0


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("predicton.tta", "prediction.tta"),
        ("tta", "prediction.tta"),
        ("grid.gsd", "grid.gsd_m"),
        ("training.epoch", "training.epochs"),
        ("prediction.decoding.body_treshold", "prediction.decoding.body_threshold"),
    ],
)
def test_a_misspelt_setting_is_answered_with_the_right_name(key: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=rf"\(expected {meant}\)"):
        load_settings(assignments=[f"{key}=1"], environ={})
    variable, right = (f"GRAVE_{name.upper().replace('.', '__')}" for name in (key, meant))
    with pytest.raises(SettingsError, match=rf"\(expected {right}\)"):
        load_settings(environ={variable: "1"})


def test_a_word_that_is_like_no_setting_gets_no_guess() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(assignments=["foo.bar=1"], environ={})
    assert "expected" not in str(caught.value)


def test_a_word_where_a_list_belongs_is_answered_with_a_list() -> None:
    with pytest.raises(SettingsError, match=r'should be a list, such as \["hof"\]'):
        load_settings(assignments=["data.test=hof"], environ={})
