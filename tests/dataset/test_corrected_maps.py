"""A map that somebody corrected in QGIS is ground truth as it is, also while QGIS has it open."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from corrections import correct_with_qgis, correct_with_sql, corrected_in_open_qgis
from qgis_process import needs_qgis
from some_map import BOTTOM, LEFT, some_map
from support import another_account
from survey_scene import MAP_TYPES, OFFICE_TYPES, plant, write_survey
from terminal import gravecli

from grave_cli.dataset.annotations import Graves, read_grave_file
from grave_cli.dataset.identity.dataset_id import content_fingerprint, dataset_id, fingerprint
from grave_cli.dataset.manifest import Manifest, read_manifest
from grave_cli.delivery.geopackage_seal import refuse_open_geopackage
from grave_cli.errors import DatasetError, ExportError
from grave_cli.evaluation.matching import iou
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.rasters import geopackage_edits
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.settings.inputs import DataSettings
