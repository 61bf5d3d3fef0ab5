"""Real imagery, from training to polygons. Skipped where the data is absent."""

from pathlib import Path

import fiona
import numpy as np
import pytest
import shapely
from support import SHARED_DATA

from grave_cli.dataset.annotations import read_graves
from grave_cli.dataset.manifest import read_manifest
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.mapping.result import PredictionResult
from grave_cli.settings.load import load_settings
from grave_cli.tracking.models import newest_model
from grave_cli.training.trainer import run_training
from grave_cli.vectors.vector_io import LayerChoice, read_geometries

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

# Sizes of roofs and crowns instead of graves, and pixels to match.
ROOFS = {
    "data.channels": "rgb",
    "grid.gsd_m": 0.2,
    "training.border_width_m": 0.4,
    "training.contact_width_m": 0.8,
    "prediction.decoding.min_area_m2": 6.0,
    "prediction.decoding.min_seed_area_m2": 1.0,
}
CROWNS = {
    "data.channels": "rgb+dem",
    "grid.gsd_m": 0.1,
    "elevation.ground_radius_m": 15.0,
    "elevation.height_range_m": (-2.0, 40.0),
    "training.border_width_m": 0.3,
    "training.contact_width_m": 0.6,
    "prediction.decoding.min_area_m2": 2.0,
    "prediction.decoding.min_seed_area_m2": 0.3,
}


def train_and_map(folder: str, cemetery: str, options: dict, work_dir: Path) -> PredictionResult:
    root = SHARED_DATA / folder
    if not root.is_dir():
        pytest.skip(f"no {folder} data beside the repository")
    options = {**options, "data.root": root, "work_dir": work_dir, "training.max_time_s": 150}
    settings = load_settings(options=options, environ={}).settings
    run_training(settings)
    files = read_manifest(root)[cemetery]
    dem = files.dem if options["data.channels"] == "rgb+dem" else None
    bundle = newest_model(dem is not None, settings).bundle
    engine = open_engine(bundle, settings.prediction)
    return predict_cemetery(files.orthophoto, dem, bundle, engine, settings)


def covered_share(polygons: np.ndarray, truth: np.ndarray) -> float:
    """Share of the polygons' area that lies on true objects."""
    union = shapely.union_all(truth)
    common = shapely.area(shapely.intersection(polygons, union)).sum()
    return float(common / shapely.area(polygons).sum())


def test_polygons_lie_on_the_roofs_of_kampala(tmp_path: Path) -> None:
    result = train_and_map("kampala", "kampala_a", ROOFS, tmp_path / "runs")
    cemetery = read_manifest(SHARED_DATA / "kampala")["kampala_a"]
    truth = read_graves(cemetery, result.grid).polygons
    write_geopackage(result, tmp_path / "roofs.gpkg")
    with fiona.open(tmp_path / "roofs.gpkg", layer="graves") as layer:
        assert len(layer) > 40
    written = read_geometries(tmp_path / "roofs.gpkg", result.crs, LayerChoice("graves"))
    assert covered_share(written, truth) > 0.6
    assert covered_share(truth, result.polygons) > 0.6


def test_polygons_lie_on_the_crowns_of_a_plot_kept_for_testing(tmp_path: Path) -> None:
    result = train_and_map("teak", "TEAK_043", CROWNS, tmp_path / "runs")
    cemetery = read_manifest(SHARED_DATA / "teak")["TEAK_043"]
    truth = read_graves(cemetery, result.grid).polygons
    assert len(result.polygons) > 8
    assert covered_share(result.polygons, truth) > 0.5
    assert covered_share(truth, result.polygons) > 0.4
    heights = [row["height_m"] for row in result.attributes]
    assert np.nanmedian(heights) > 3
