"""gravecli: one clean polygon per grave from a drone orthophoto."""

__version__ = "0.1.0"
