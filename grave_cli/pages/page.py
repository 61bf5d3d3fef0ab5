"""A template and values in, one HTML file out that needs no other file and no network.

Every name and value is escaped. The last line of a page is its seal, so that gravecli knows its own
unchanged page again.
"""

from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from grave_cli import __version__
from grave_cli.outputs import FOREIGN, seal
from grave_cli.wording import counted

_SEAL = "<!-- gravecli {} -->\n"
_SEAL_START, _SEAL_END = _SEAL.split("{}")


def render(room: str, template: str, source: str, *, decimal: str = ".", **values: Any) -> str:
    """Render a page as text, with its seal.

    Args:
        room: Package that holds the template; those of this room can be included.
        template: Name of the template.
        source: What the page is made from, for its seal.
        decimal: Decimal sign of the numbers.
        values: Values by name; `version` is there already.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(room), PackageLoader("grave_cli.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": partial(number, decimal=decimal),
        "percent": partial(percent, decimal=decimal),
        "counted": counted,
    }
    page = environment.get_template(template).render(version=__version__, **values)
    page = page.replace("\r\n", "\n").replace("\r", "\n")  # as `why_keep_page` reads it
    return page + _SEAL.format(seal(source, page))


def why_keep_page(path: Path, source: str) -> str | None:
    """Return why an existing page must not be replaced; None if nothing is lost by it.

    Args:
        path: The page.
        source: What the new page is made from.
    """
    text, start, mark = path.read_text("utf-8", "surrogateescape").rpartition(_SEAL_START)
    if not start:
        return FOREIGN
    if mark == f"{seal(source, text)}{_SEAL_END}":
        return None
    return "was changed since gravecli wrote it, or is about other files"


def number(value: float | None, form: str, unit: str = "", *, decimal: str = ".") -> str:
    """Format a number, with a true minus sign; a dash for None."""
    if value is None:
        return "–"
    return f"{value:{form}}".replace("-", "−").replace(".", decimal) + unit


def percent(share: float | None, *, decimal: str = ".") -> str:
    """Format a share with one decimal; a dash for None."""
    return number(share, ".1%", decimal=decimal).replace("%", "\N{NO-BREAK SPACE}%")
