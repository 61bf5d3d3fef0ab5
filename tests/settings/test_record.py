import json

import pytest

from grave_cli.settings.load import validate, with_values
from grave_cli.settings.record import recorded, without_password
from grave_cli.settings.tree import Settings


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (
            "postgresql+psycopg://anna:s3cret@db:5432/runs",
            "postgresql+psycopg://anna:***@db:5432/runs",
        ),
        ("https://:token@mlflow.example", "https://:***@mlflow.example"),
        ("postgresql://anna@db/runs", "postgresql://anna@db/runs"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("sqlite:///runs/mlflow.db", "sqlite:///runs/mlflow.db"),
        ("s3://bucket/a:b@c", "s3://bucket/a:b@c"),
    ],
)
def test_a_url_loses_its_password_and_nothing_else(url: str, kept: str) -> None:
    assert without_password(url) == kept


def test_recorded_settings_hold_no_password_and_can_be_read_again() -> None:
    urls = {"tracking.uri": "postgresql://a:s3cret@b/c", "hpo.storage": "postgresql://d:s3cret@e/f"}
    settings = with_values(Settings(), urls)
    tree = recorded(settings)
    assert "s3cret" not in json.dumps(tree)
    again = validate(tree, {})
    assert again.tracking.uri == "postgresql://a:***@b/c"
    assert with_values(again, urls) == settings
