"""Settings of one varied scene: frozen values with their ranges and units.

`draw_variety` draws from these ranges; a training script may build its own values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grave_cli.sample_data.canvas import Colour

SceneKind = Literal[
    "cemetery",
    "park",
    "car park",
    "village",
    "lawn",
    "water",
    "allotments",
    "works",
    "playground",
    "wood",
]
"""A cemetery, or ground without a single grave."""
HabitKind = Literal[
    "bordered",
    "slabs",
    "lawn plots",
    "headstones",
    "headstone plots",
    "kerb sets",
    "urns",
    "children",
    "family",
    "mounds",
    "hedged",
    "fenced",
    "cleared",
]
"""How one section of a cemetery is laid out. `headstones` and `cleared` hold no grave outlines."""
Season = Literal["spring", "summer", "drought", "autumn", "late autumn", "winter"]
Outline = Literal["full", "square", "round", "turned", "strip"]


@dataclass(frozen=True)
class Sun:
    """Daylight.

    Args:
        azimuth_deg: Compass direction of the sun, 0–360.
        elevation_deg: Height above the horizon, 17–70.
        share: Share of direct light: 0 overcast, 1 a clear sky.
        shadow: Light left in a full shadow of red, green and blue, 0.25–0.85 of full light; the
            sky gives most blue.
        blur_m: Softness of a shadow's edge, standard deviation in metres, 0.01–0.12.
    """

    azimuth_deg: float
    elevation_deg: float
    share: float
    shadow: Colour
    blur_m: float


@dataclass(frozen=True)
class Lens:
    """One camera and its development.

    Args:
        gsd_m: Pixel edge on the ground in metres, 0.015–0.06.
        blur_px: Lens and motion blur, standard deviation in pixels, 0.3–1.2.
        gain: Exposure, 0.65 (dark) to 1.5 (washed out).
        contrast: Steepness around middle grey, 0.8–1.2.
        saturation: Strength of colours, 0.55–1.3.
        white_balance: Gains of red, green and blue, 0.87–1.13.
        haze: Share of the picture lost to grey veil, 0–0.25.
        noise: Sensor noise in grey levels, 0.4–5.
        sharpen: Strength of the camera's sharpening, 0–0.5.
        jpeg_quality: 45–97.
    """

    gsd_m: float
    blur_px: float
    gain: float
    contrast: float
    saturation: float
    white_balance: Colour
    haze: float
    noise: float
    sharpen: float
    jpeg_quality: int


@dataclass(frozen=True)
class Mosaic:
    """How single photos became one orthophoto.

    Args:
        photo_m: Distance between the centres of photos in metres, 6–30.
        gain_spread: Standard deviation of the photos' brightness, 0–0.05.
        shift_m: Standard deviation of the photos' misplacement in metres, 0–0.035.
        ghosting: Share of photos laid over a neighbour half transparent, 0–0.4.
        lean: Metres by which a point moves away from its photo's centre per metre of height,
            0–0.10 at a photo's edge.
        tilt: The same in one direction over the whole mosaic, x and y, −0.06 to 0.06.
        outline: Shape of the area that holds imagery.
        fray_m: Raggedness of its edge in metres, 0–0.6.
    """

    photo_m: float
    gain_spread: float
    shift_m: float
    ghosting: float
    lean: float
    tilt: tuple[float, float]
    outline: Outline
    fray_m: float


@dataclass(frozen=True)
class Relief:
    """The terrain and the surface model made of it.

    Args:
        gsd_m: Pixel edge of the DEM in metres, 0.02–0.20; 0 when the scene has no DEM.
        noise_m: Standard deviation of heights in metres, 0.002–0.04.
        soften_m: Width over which edges of objects are smoothed in metres, 0–0.35.
        holes: Share of the area without heights, 0–0.06.
        slope: Rise of the ground in metres per metre, 0–0.18.
        waves_m: Height of gentle undulations in metres, 0–0.4.
        terraces: Number of steps in the ground, 0–3.
        shift_m: Horizontal misplacement against the orthophoto, x and y in metres, −0.08 to 0.08.
    """

    gsd_m: float
    noise_m: float
    soften_m: float
    holes: float
    slope: float
    waves_m: float
    terraces: int
    shift_m: tuple[float, float]


@dataclass(frozen=True)
class Order:
    """How strictly a cemetery is laid out.

    Args:
        yard_share: Edge of the cemetery as a share of the scene's edge, 0.7–1.5.
        section_m: Longest side of a section in metres, 7–24.
        path_m: Width of the main path in metres, 0.9–4.
        aisle_m: Free width between rows in metres, 0.3–2.2.
        gap_m: Largest distance between neighbours in a row in metres, 0–0.8.
        touching: Share of neighbours that share an edge, 0–0.95.
        occupancy: Share of places in a row that hold a grave, 0.4–1.
        jitter_m: Standard deviation of a grave's place in metres, 0–0.10.
        twist_deg: Standard deviation of a grave's direction in degrees, 0–5.
        bend_per_m: Curvature of rows, 0–0.03 per metre.
        turned: Share of sections that are turned against the rest, 0–0.5.
    """

    yard_share: float
    section_m: float
    path_m: float
    aisle_m: float
    gap_m: float
    touching: float
    occupancy: float
    jitter_m: float
    twist_deg: float
    bend_per_m: float
    turned: float


@dataclass(frozen=True)
class Care:
    """Age, weather and care of the grounds; every value from 0 to 1.

    Args:
        age: Moss, stains, sunken and neglected graves.
        overgrowth: How often planting covers a whole grave.
        litter: Fallen leaves.
        wet: Dark, glossy ground after rain.
        clutter: Density of things that are not graves.
        trees: Density of trees and shrubs.
    """

    age: float
    overgrowth: float
    litter: float
    wet: float
    clutter: float
    trees: float


@dataclass(frozen=True)
class Variety:
    """Everything drawn for one scene before anything is placed.

    Args:
        preset: The preset it was drawn from.
        scene: A cemetery, or a kind of ground without graves.
        habits: Layouts of the sections, each drawn from these.
        season: Colours of grass, leaves and flowers.
        care: Age and weather.
        order: Strictness of the layout.
        sun: Daylight.
        lens: Camera.
        mosaic: Stitching.
        relief: Terrain and DEM.
    """

    preset: str
    scene: SceneKind
    habits: tuple[HabitKind, ...]
    season: Season
    care: Care
    order: Order
    sun: Sun
    lens: Lens
    mosaic: Mosaic
    relief: Relief
