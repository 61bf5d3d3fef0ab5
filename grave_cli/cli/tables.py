"""Tables in a terminal of any width, and the one place where tables are made.

In a narrow terminal a table loses columns, because a shortened name is of no use. The first column
names the rows and stays. The others are taken as long as they fit, the most important one first:
the table says which give way first, and of the rest the left ones are more important. Only a first
column that is wider than the terminal is folded.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from grave_cli.cli.console import OUT, print_line

_ENDLESS = 10_000  # columns: no table is that wide


def make_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Text]] = (),
    *,
    left: Collection[str] = (),
    title: str | None = None,
) -> Table:
    """Make a table.

    Args:
        headings: Headings of the columns; the first column names the rows.
        rows: Cells of each row.
        left: Headings of columns that are text. Except for the first one, other columns are numbers
            and aligned to the right.
        title: Title above the table.
    """
    table = Table(title=title)
    for heading in headings:
        is_text = heading in left or heading == headings[0]
        table.add_column(heading, justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def print_table(table: Table, expendable: Sequence[str] = ()) -> None:
    """Print a table, in a narrow terminal without its less important columns.

    Args:
        table: The table.
        expendable: Headings of columns in the order in which they give way.
    """
    left_out = fit_table(table, OUT, expendable)
    OUT.print(table)
    if left_out:
        print_line(f"left out: {', '.join(left_out)} (widen the terminal, or use --json)")


def fit_table(
    table: Table,
    console: Console,
    expendable: Sequence[str] = (),
    wrapping: Mapping[str, int] = MappingProxyType({}),
) -> list[str]:
    """Remove columns until a table fits a terminal.

    Args:
        table: The table; it is changed.
        console: The terminal.
        expendable: Headings of columns in the order in which they give way.
        wrapping: Smallest widths of columns whose text may run over several lines, by heading.

    Returns:
        The headings of the removed columns.
    """
    name, *others = table.columns
    ranked = {heading: rank for rank, heading in enumerate(expendable)}
    for column in others:
        column.no_wrap = column.header not in wrapping
    kept = {id(name)}
    # Sorting is stable: columns that the table does not name keep their order.
    for column in sorted(others, key=lambda one: -ranked.get(str(one.header), len(ranked))):
        table.columns = [one for one in (name, *others) if id(one) in {*kept, id(column)}]
        if _width(table, console, wrapping) <= console.width:
            kept.add(id(column))
    table.columns = [one for one in (name, *others) if id(one) in kept]
    return [str(one.header) for one in others if id(one) not in kept]


def _width(table: Table, console: Console, wrapping: Mapping[str, int]) -> int:
    """Return the width of a table whose cells are on one line, except for the wrapping ones."""
    for column in table.columns:
        column.width = wrapping.get(str(column.header))
    options = console.options.update(width=_ENDLESS)
    width = Measurement.get(console, options, table).maximum
    for column in table.columns:
        column.width = None
    return width
