"""A plainly laid out cemetery: twelve fields of eight straight rows, divided by paths of 3 m."""

import numpy as np
import shapely
from shapely import affinity

from grave_cli.sample_data.known_rows import KnownRows

FIELDS, ROWS, ROW_M = (4, 3), 8, 20.0
PATH_M, AISLE_M, OCCUPANCY = 3.0, 1.2, 0.9


def plain_cemetery(seed: int) -> KnownRows:
    """Lay out single and double graves of about 1 x 2 m, a tenth of the plots empty.

    Args:
        seed: Equal seeds give equal cemeteries.
    """
    rng = np.random.default_rng(seed)
    turn_deg = rng.uniform(-30, 30)
    graves, rows = [], []
    for number in range(FIELDS[0] * FIELDS[1] * ROWS):
        field, row = divmod(number, ROWS)
        across, down = field % FIELDS[0], field // FIELDS[0]
        west = across * (ROW_M + 3 + PATH_M)
        head = -down * (ROWS * (2.1 + AISLE_M) + PATH_M) - row * (2.1 + AISLE_M)
        east = west + ROW_M
        while west < east:
            width, length = (
                rng.choice([1, 1, 1, 2]) * rng.uniform(0.95, 1.05),
                rng.uniform(1.9, 2.1),
            )
            if rng.random() < OCCUPANCY:
                graves.append(shapely.box(west, head - length, west + width, head))
                rows.append(number)
            west += width + rng.uniform(0.1, 0.5)
    turned = [affinity.rotate(grave, turn_deg, origin=(0, 0)) for grave in graves]
    return KnownRows(np.array(turned, dtype=object), np.array(rows) // ROWS, np.array(rows))
