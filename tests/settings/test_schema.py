"""The JSON Schema of the settings knows what the settings know, and editors find it."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from terminal import assert_refused, gravecli

from grave_cli.settings.example import example_toml
from grave_cli.settings.nested import flatten
from grave_cli.settings.schema import SCHEMA_FILE, schema_text, settings_schema
from grave_cli.settings.tree import Settings

jsonschema = pytest.importorskip("jsonschema", reason="needs the extra dev")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return settings_schema()


def faults(text: str, schema: dict[str, Any]) -> list[str]:
    checker = jsonschema.Draft7Validator(schema)
    return [fault.message for fault in checker.iter_errors(tomllib.loads(text))]


def test_it_is_a_schema_of_draft_7_and_the_example_fits(schema: dict[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(schema)
    assert faults(example_toml(), schema) == []
    assert "$defs" not in json.dumps(schema)
    assert "prefixItems" not in json.dumps(schema)


def test_the_schema_in_the_repository_is_up_to_date() -> None:
    assert (ROOT / SCHEMA_FILE).read_text("utf-8") == schema_text(), (
        "write it anew: `gravecli config --schema`"
    )


def resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for reference in (part, *part.get("allOf", ())):
        if name := reference.get("$ref", "").rpartition("/")[2]:
            found: dict[str, Any] = schema["definitions"][name]
            return found
    return part


def test_every_setting_has_its_help_text_and_default(schema: dict[str, Any]) -> None:
    for key, default in flatten(Settings().model_dump(mode="json", exclude={"hpo"})):
        part = schema
        for name in key.split("."):
            part = resolved(part["properties"][name], schema)
        assert part["description"], key
        assert part["default"] == default, key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[training]\nepochs = 0", "less than the minimum"),
        ("[training]\nepoch = 3", "'epoch' was unexpected"),
        ("[trainng]\nepochs = 3", "'trainng' was unexpected"),
        ('[data]\nchannels = "rgbd"', "is not one of ['rgb', 'rgb+dem']"),
        ('[chips]\nsize_px = "large"', "is not of type 'integer'"),
        ("[hpo.studies.own]\ntrails = 3", "'trails' was unexpected"),
    ],
)
def test_wrong_settings_are_marked(schema: dict[str, Any], text: str, words: str) -> None:
    assert any(words in fault for fault in faults(text, schema))


def test_half_a_range_and_a_range_of_whole_numbers_are_fine(schema: dict[str, Any]) -> None:
    text = (
        '[hpo.studies.own.search_space]\n"training.epochs" = {low = 2}\n"chips.x" = {low=1, high=5}'
    )
    assert faults(text, schema) == []


def test_init_writes_a_file_that_names_the_schema_beside_it(tmp_path: Path) -> None:
    first = json.loads(gravecli("config", "--init", "--json", cwd=tmp_path).stdout)
    assert first == {"written": "gravecli.toml", "schema": SCHEMA_FILE}
    head = (tmp_path / "gravecli.toml").read_text("utf-8").splitlines()[0]
    assert head == f"#:schema ./{SCHEMA_FILE}"
    assert (tmp_path / SCHEMA_FILE).read_text("utf-8") == schema_text()
    assert gravecli("config", cwd=tmp_path).returncode == 0

    (tmp_path / "sub").mkdir()
    beside = gravecli("config", "--schema", "--config", "sub/own.toml", "--json", cwd=tmp_path)
    assert Path(json.loads(beside.stdout)["schema"]) == Path("sub", SCHEMA_FILE)
    assert [path.name for path in (tmp_path / "sub").iterdir()] == [SCHEMA_FILE]


def test_a_schema_of_an_older_version_is_renewed_and_a_file_of_somebody_else_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("grave_cli.settings.schema.settings_schema", lambda: {"title": "older"})
        assert gravecli("config", "--schema", cwd=tmp_path).returncode == 0
    path = tmp_path / SCHEMA_FILE
    assert json.loads(path.read_text("utf-8"))["title"] == "older"
    assert gravecli("config", "--schema", cwd=tmp_path).returncode == 0
    assert path.read_text("utf-8") == schema_text()

    path.write_text(path.read_text("utf-8").replace("unet", "vnet"), "utf-8")
    assert_refused(gravecli("config", "--schema", cwd=tmp_path), "was changed since", "--overwrite")
    for text in ("{}", "[]", "no JSON"):
        path.write_text(text, "utf-8")
        assert_refused(gravecli("config", "--init", cwd=tmp_path), SCHEMA_FILE, "not written by")
        assert not (tmp_path / "gravecli.toml").exists()
    assert gravecli("config", "--schema", "--overwrite", cwd=tmp_path).returncode == 0
