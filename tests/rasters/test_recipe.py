"""The recipe makes the network's input, and says whether a new cemetery fits it."""

from pathlib import Path

import numpy as np
import pytest
from delivery_scene import GSD_M, RANGE, UTM, deliver, layout

from grave_cli.errors import GraveError, GridError, ModelError, RasterReadError
from grave_cli.mapping.model_fit import check_fit
from grave_cli.mapping.scene import open_scene
from grave_cli.model.architecture import Architecture
from grave_cli.model.bundle import ModelCard
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.inputs import ElevationSettings
from grave_cli.settings.load import load_settings
from grave_cli.settings.mapping import DecodingSettings

RGB = InputRecipe(
    channels="rgb", gsd_m=GSD_M, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2), elevation=None
)
SIXTEEN = RGB.model_copy(update={"value_range": RANGE})
HEIGHTS = RGB.model_copy(
    update={
        "channels": "rgb+dem",
        "elevation": ElevationSettings(features=("height", "slope", "percentile")),
    }
)


def fit(
    recipe: InputRecipe, orthophoto: Path, dem: Path | None = None, dem_dropout: float = 0.15
) -> tuple[str, ...]:
    card = ModelCard(
        gravecli_version="0",
        name="oak",
        run_id="",
        dataset_id="",
        created="",
        recipe=recipe,
        architecture=Architecture(in_channels=recipe.channel_count),
        decoding=DecodingSettings(),
        metrics={},
        settings={"chips": {"dem_dropout": dem_dropout}},
    )
    return check_fit(open_scene(orthophoto, dem, recipe, 3), card)


class TestInput:
    def test_colours_are_normalised_and_what_is_not_valid_is_zero(self) -> None:
        rgb = np.full((3, 2, 2), 51, np.uint8)
        valid = np.array([[True, True], [True, False]])

        made = RGB.network_input(rgb, None, valid)

        assert made.dtype == np.float32
        np.testing.assert_allclose(made[:, 0, 0], [-1.5, -1.0, -0.5], rtol=1e-5)
        assert not made[:, 1, 1].any()

    def test_features_are_scaled_to_about_one_and_unknown_ones_are_the_ground(self) -> None:
        rgb, valid = np.zeros((3, 1, 4), np.uint8), np.ones((1, 4), np.bool_)
        elevation = np.array(
            [[[0, 1.5, 99, np.nan]], [[0, 30, 60, np.nan]], [[0.5, 0.75, 1, np.nan]]], np.float32
        )

        made = HEIGHTS.network_input(rgb, elevation, valid)[3:, 0]

        np.testing.assert_allclose(made, [[0, 0.5, 1, 0]] * 3, atol=1e-6)

    def test_without_heights_their_channels_are_blank(self) -> None:
        rgb, valid = np.zeros((3, 2, 2), np.uint8), np.ones((2, 2), np.bool_)

        made = HEIGHTS.network_input(rgb, None, valid)

        assert made.shape == (HEIGHTS.channel_count, 2, 2) == (6, 2, 2)
        assert not made[3:].any()

    def test_it_comes_back_from_its_json_and_an_older_one_knows_eight_bits_only(self) -> None:
        assert InputRecipe.model_validate_json(SIXTEEN.model_dump_json()) == SIXTEEN
        older = RGB.model_dump(exclude={"value_range"})
        assert InputRecipe.model_validate(older).value_range is None

    def test_it_is_made_from_the_settings(self) -> None:
        options = {"data.channels": "rgb+dem", "grid.gsd_m": 0.1}
        settings = load_settings(options=options, environ={}).settings

        made = InputRecipe.from_settings(settings, (0, 0, 0), (1, 1, 1), RANGE)

        assert made.features == ("height",)
        assert (made.gsd_m, made.value_range) == (0.1, RANGE)


class TestFit:
    def test_a_cemetery_like_those_trained_on_needs_no_word(self, tmp_path: Path) -> None:
        assert fit(RGB, deliver(tmp_path / "ortho.tif")) == ()
        assert fit(SIXTEEN, deliver(tmp_path / "ortho16.tif", dtype="uint16")) == ()

    def test_what_is_adapted_is_said(self, tmp_path: Path) -> None:
        infrared = deliver(tmp_path / "infrared.tif", valid="none", bands=4)
        coarse = deliver(tmp_path / "coarse.tif", layout(UTM, 0.1))

        (depth,) = fit(SIXTEEN, deliver(tmp_path / "eight.tif"))
        (band,) = fit(RGB, infrared)
        (gsd,) = fit(RGB, coarse)

        assert "8-bit colours are used unscaled" in depth
        assert "band 4 is not an alpha channel" in band
        assert f"{coarse}: its pixels of 0.100 m are interpolated" in gsd

    def test_a_model_that_learnt_to_do_without_heights_needs_no_dem(self, tmp_path: Path) -> None:
        path = deliver(tmp_path / "ortho.tif")

        (note,) = fit(HEIGHTS, path, dem_dropout=0.5)

        assert f"{path}: mapped by colours alone" in note
        with pytest.raises(ModelError, match="model oak needs a DEM"):
            fit(HEIGHTS, path, dem_dropout=0.15)

    def test_other_sixteen_bit_values_are_said_and_foreign_ones_refused(
        self, tmp_path: Path
    ) -> None:
        path = deliver(tmp_path / "ortho.tif", dtype="uint16")  # from 2600 to 10680
        twice = SIXTEEN.model_copy(update={"value_range": (0.0, 20_000.0)})
        full = SIXTEEN.model_copy(update={"value_range": (0.0, 65_535.0)})

        (note,) = fit(twice, path)
        assert "by a factor of 2.5" in note
        with pytest.raises(ModelError, match=r"found 2600 to 10680, .*-scale_1 2600 10680 0 65535"):
            fit(full, path)

    @pytest.mark.parametrize("kind", ["heights", "16 bits", "foreign values", "coarse"])
    def test_a_refusal_is_one_line_with_file_found_expected_and_remedy(
        self, kind: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "ortho.tif"
        recipe, how, error = {
            "heights": (HEIGHTS, {}, ModelError),
            "16 bits": (RGB, {"dtype": "uint16"}, RasterReadError),
            "foreign values": (
                RGB.model_copy(update={"value_range": (0.0, 255.0)}),
                {"dtype": "uint16"},
                ModelError,
            ),
            "coarse": (RGB, {"place": layout(UTM, 0.2)}, GridError),
        }[kind]
        deliver(path, **how)  # type: ignore[arg-type]

        with pytest.raises(GraveError) as caught:
            fit(recipe, path)

        assert caught.type is error
        line = str(caught.value)
        assert "\n" not in line
        assert line.startswith(f"{path}: ")
        assert "(found " in line
        assert ", expected " in line
        assert "); " in line
