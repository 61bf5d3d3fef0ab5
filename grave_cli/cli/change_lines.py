"""The changes between two surveys as a table on the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from grave_cli.cli.console import OUT, print_line


def print_changes(comparison: Mapping[str, Any]) -> None:
    """Print the shift and the number of changes of each kind.

    Args:
        comparison: `Comparison.as_dict`.
    """
    print_line(comparison["shift"]["sentence"])
    table = Table("change")
    table.add_column("graves", justify="right")
    for name, count in comparison["changes"].items():
        table.add_row(name, str(count))
    OUT.print(table)
