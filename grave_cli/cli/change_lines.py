"""The changes between two surveys as a table on the terminal."""

from collections.abc import Mapping
from typing import Any

from grave_cli.cli.console import print_line
from grave_cli.cli.tables import make_table, print_table


def print_changes(comparison: Mapping[str, Any]) -> None:
    """Print the shift and the number of changes of each kind.

    Args:
        comparison: `Comparison.as_dict`.
    """
    print_line(comparison["shift"]["sentence"])
    rows = [(name, str(count)) for name, count in comparison["changes"].items()]
    print_table(make_table(("change", "graves"), rows))
