"""Tables in a terminal of any width: columns are left out before a name is shortened."""

from collections.abc import Sequence

from rich.measure import Measurement
from rich.table import Table

from grave_cli.cli.console import OUT, print_line

_ENDLESS = 10_000  # columns: no table is that wide


def print_table(table: Table, expendable: Sequence[str]) -> None:
    """Print a table; in a narrow terminal without its less important columns.

    What is still too wide is folded, never cut off: a name that ends in an ellipsis is of no use.

    Args:
        table: The table.
        expendable: Headings of columns, in the order in which they are left out.
    """
    for column in table.columns:
        column.overflow = "fold"
    left_out = []
    for heading in expendable:
        if _width(table) <= OUT.width:
            break
        left_out.append(heading)
        table.columns = [column for column in table.columns if column.header != heading]
    OUT.print(table)
    if left_out:
        print_line(f"left out: {', '.join(left_out)} (widen the terminal, or use --json)")


def _width(table: Table) -> int:
    options = OUT.options.update(width=_ENDLESS)
    return Measurement.get(OUT, options, table).maximum
