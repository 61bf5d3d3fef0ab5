"""Every error is one line with the place, the fault and the remedy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli import errors
from grave_cli.errors import GraveError, OutOfMemoryError, TrainingError

# Without the signs that the sentence itself is built of, so that the parts can be found again.
words = st.text(st.characters(categories=("L", "N"), include_characters="/._- \n\t"), min_size=1)


def all_kinds(kind: type[GraveError] = GraveError) -> Iterator[type[GraveError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from all_kinds(child)


KINDS = list(all_kinds())


def test_a_sentence_names_place_fault_contrast_and_remedy_in_this_order() -> None:
    error = GraveError(
        "wrong band count",
        where=Path("data/a.tif"),
        found=2,
        expected="3 or 4",
        remedy="add the missing band",
    )
    assert (
        str(error)
        == "data/a.tif: wrong band count (found 2, expected 3 or 4); add the missing band"
    )


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({}, "no graves"),
        ({"where": "a.gpkg"}, "a.gpkg: no graves"),
        ({"found": 0}, "no graves (found 0)"),
        ({"found": ""}, "no graves (found )"),
        ({"expected": "one"}, "no graves (expected one)"),
        ({"remedy": "draw some"}, "no graves; draw some"),
    ],
)
def test_parts_that_are_not_given_leave_no_trace(parts: dict[str, object], sentence: str) -> None:
    assert str(GraveError("no graves", **parts)) == sentence  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_names_the_file_it_is_about(kind: type[GraveError]) -> None:
    path = Path("data") / "orthophotos" / "west.tif"
    error = kind("cannot be used", where=path)
    assert str(error).startswith(f"{path}: ")
    assert error.where == path


@settings(deadline=None)
@given(what=words, where=words, found=words, remedy=words)
def test_a_sentence_is_one_line_and_loses_no_word(
    what: str, where: str, found: str, remedy: str
) -> None:
    sentence = str(GraveError(what, where=where, found=found, remedy=remedy))
    assert len(sentence.splitlines()) <= 1
    for part in (what, where, found, remedy):
        assert " ".join(part.split()) in sentence


@pytest.mark.parametrize("kind", KINDS)
def test_only_failed_work_is_not_the_users_to_mend(kind: type[GraveError]) -> None:
    assert kind("x").exit_code == (1 if issubclass(kind, TrainingError | OutOfMemoryError) else 2)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = [
        line.split("──")[-1].split()[0]
        for line in (errors.__doc__ or "").splitlines()
        if "──" in line
    ]
    assert drawn == [kind.__name__ for kind in KINDS[1:]]
