import json

from grave_cli.settings.load import validate, with_values
from grave_cli.settings.record import recorded
from grave_cli.settings.tree import Settings


def test_recorded_settings_hold_no_password_and_can_be_read_again() -> None:
    urls = {"tracking.uri": "postgresql://a:s3cret@b/c", "hpo.storage": "postgresql://d:s3cret@e/f"}
    settings = with_values(Settings(), urls)
    tree = recorded(settings)
    assert "s3cret" not in json.dumps(tree)
    again = validate(tree, {})
    assert again.tracking.uri == "postgresql://a:***@b/c"
    assert with_values(again, urls) == settings


def test_only_urls_are_changed_in_recorded_settings() -> None:
    before = with_values(Settings(), {"data.annotation_layer": "a:b@c", "data.root": "/data/a:b@c"})
    assert validate(recorded(before), {}) == before
