import re

import pytest

from grave_cli.tracking.keys import image_slug

MLFLOW_TAKES = re.compile(r"^[a-zA-Z0-9_\-./ ]+$")


@pytest.mark.parametrize("name", ["sample_01", "cemetery-2.b", "A"])
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert image_slug(name) == name


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("Köln (alt)", "Koeln-alt-"),
        ("Süd+100%", "Sued-100-"),
        ("Łódź", "odz-"),
        ("墓地", ""),
        ("..", ""),
        ("a/b~c", "a-b-c-"),
    ],
)
def test_another_name_becomes_readable_and_allowed(name: str, start: str) -> None:
    slug = image_slug(name)
    assert slug.startswith(start)
    assert MLFLOW_TAKES.match(slug)
    assert "/" not in slug
    assert not slug.startswith(".")


def test_different_names_have_different_keys() -> None:
    names = ["Köln", "Koeln", "Köln ", "Köln+", "Köln-", "köln", "K/öln", "Ko\u0308ln", "墓", "地"]
    assert len({image_slug(name) for name in names}) == len(names)
