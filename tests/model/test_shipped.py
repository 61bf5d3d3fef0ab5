"""The starter model: what its card says is true."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from grave_cli.dataset.annotations import read_grave_file
from grave_cli.evaluation.judgement import judge_on_ground
from grave_cli.evaluation.scorecard import fill_scorecard
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.model.bundle import WEIGHTS_KEY
from grave_cli.model.export import load_network
from grave_cli.model.shipped import STARTER, starter_model
from grave_cli.sample_data.write import SampleCemetery, write_sample_data
from grave_cli.settings.load import load_settings

MAX_WEIGHTS_MB, MAX_FOLDER_MB = 8.0, 16.0


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> SampleCemetery:
    """The scene that scored the starter when it was shipped."""
    (made,) = write_sample_data(
        tmp_path_factory.mktemp("probe"),
        cemeteries=1,
        size_m=30,
        seed=90210,
        variety="central-europe",
    )
    return made


def test_its_files_are_the_ones_described_and_small_enough() -> None:
    bundle = starter_model()
    about = bundle.card.about
    assert bundle.card.name == STARTER
    for file in (bundle.weights, bundle.onnx):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert about[f"sha256 of {file.name}"] == digest
    assert bundle.weights.stat().st_size <= MAX_WEIGHTS_MB * 1e6
    sizes = [file.stat().st_size for file in bundle.folder.iterdir()]
    assert sum(sizes) <= MAX_FOLDER_MB * 1e6


def test_its_weights_are_finite() -> None:
    weights = load_network(starter_model()).state_dict()
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())


def test_it_says_what_it_has_seen_and_under_which_licence_it_comes() -> None:
    about = starter_model().card.about
    assert {"seen", "not seen", "expect", "licence", "sources"} <= set(about)


def test_its_description_names_no_place_of_another_machine() -> None:
    settings = starter_model().card.settings
    assert not Path(settings["work_dir"]).is_absolute()
    assert not Path(settings["data"]["root"]).is_absolute()


def test_both_of_its_forms_compute_the_same_within_their_precision() -> None:
    import onnx

    bundle = starter_model()
    recorded = {entry.key: entry.value for entry in onnx.load(bundle.onnx).metadata_props}
    assert recorded[WEIGHTS_KEY] == bundle.sha256
    settings = load_settings(options={"prediction.device": "cpu"}, environ={}).settings
    engine = open_engine(bundle, settings.prediction)
    assert engine.name.startswith("ONNX Runtime")
    pixels = np.random.default_rng(0).standard_normal((1, 4, 96, 64)).astype(np.float32)
    with torch.inference_mode():
        expected = torch.sigmoid(load_network(bundle)(torch.from_numpy(pixels))).numpy()
    # The ONNX form holds each convolution with its normalisation, and rounds the two together.
    np.testing.assert_allclose(engine.probabilities(pixels), expected, atol=0.01)


@pytest.mark.parametrize(("key", "with_dem"), [("probe", True), ("probe_without_dem", False)])
def test_its_scores_are_measured_again(key: str, with_dem: bool, probe: SampleCemetery) -> None:
    bundle = starter_model()
    settings = load_settings(options={"prediction.device": "cpu"}, environ={}).settings
    dem = probe.dem if with_dem else None
    engine = open_engine(bundle, settings.prediction)
    result = predict_cemetery(probe.orthophoto, dem, bundle, engine, settings)
    assert isinstance(probe.annotations, Path)
    truth = read_grave_file(probe.annotations, result.grid, settings.data).polygons
    scores = fill_scorecard(judge_on_ground(truth, result.polygons, result.crs)).metrics()
    # Other processors round differently; a grave more or less may be found.
    assert scores["object_f1"] == pytest.approx(
        bundle.card.metrics[f"{key}/object_f1"], abs=1.5 / len(truth)
    )
