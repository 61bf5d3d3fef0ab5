"""A layer and its style in, a QML style of QGIS out: renderer, labels, titles of columns.

QGIS 3.22 and later read it; what is left out here keeps QGIS's defaults.
"""

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

from grave_cli.delivery.layer import Column, Layer
from grave_cli.delivery.style import Label, Millimetres, Rule, Stroke, Style
from grave_cli.settings.output import Language

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_ALL_SCALES = 100_000_000
_METRES = "RenderMetersInMapUnits"  # true metres, also in Web Mercator or degrees


def to_qml(layer: Layer, style: Style, language: Language) -> str:
    """Return the style of a layer as QML.

    Args:
        layer: The layer; its first column in a GeoPackage is `fid`.
        style: How it is drawn.
        language: Language of legend, titles and tips.
    """
    root = ET.Element(
        "qgis",
        version="3.22.0",
        styleCategories="AllStyleCategories",
        labelsEnabled="01"[style.label is not None],
        hasScaleBasedVisibilityFlag="01"[style.from_scale is not None],
        minScale=str(style.from_scale or _ALL_SCALES),
        maxScale="0",
        simplifyDrawingHints="1",
    )
    if layer.geometries is not None:
        _add_renderer(root, layer.name, style.rules, language)
        if style.label is not None:
            _add_label(root, style.label)
    _add_columns(root, layer.columns, language)
    if style.display:
        ET.SubElement(root, "previewExpression").text = style.display
    if tip := style.tip.get(language):
        ET.SubElement(root, "mapTip").text = tip
    ET.indent(root)
    return _DOCTYPE + ET.tostring(root, encoding="unicode")


def _add_renderer(
    root: ET.Element, layer: str, rules: tuple[Rule, ...], language: Language
) -> None:
    renderer = ET.SubElement(
        root, "renderer-v2", type="RuleRenderer", symbollevels="1", forceraster="0"
    )
    listed = ET.SubElement(renderer, "rules", key=_key(layer))
    symbols = ET.SubElement(renderer, "symbols")
    for index, rule in enumerate(rules):
        name = str(index)
        line = ET.SubElement(
            listed, "rule", key=_key(f"{layer}/{index}"), symbol=name, label=rule.title[language]
        )
        if rule.condition:
            line.set("filter", rule.condition)
        symbol = ET.SubElement(
            symbols, "symbol", type="fill", name=name, alpha="1", clip_to_extent="1"
        )
        if rule.fill is not None:
            _add_part(symbol, "SimpleFill", 0, _fill(rule.fill, rule.fill_opacity))
        for stroke in rule.strokes:
            _add_part(symbol, "SimpleLine", stroke.level, _line(stroke))


def _key(name: str) -> str:
    """Return the same key for the same rule in every file."""
    return f"{{{uuid5(NAMESPACE_URL, f'gravecli/{name}')}}}"


def _fill(colour: str, opacity: float) -> dict[str, str]:
    return {"color": _rgba(colour, opacity), "style": "solid", "outline_style": "no"}


def _line(stroke: Stroke) -> dict[str, str]:
    options = {
        "line_color": _rgba(stroke.colour, stroke.opacity),
        "line_style": "solid",
        "line_width": str(stroke.width_m),
        "line_width_unit": _METRES,
        "width_map_unit_scale": _limits(stroke.limits_mm),
        "joinstyle": "miter",
        "capstyle": "flat",
    }
    if stroke.dashed:
        dashes = {"use_custom_dash": "1", "customdash": "2;1.5", "customdash_unit": "MM"}
        options |= dashes
    return options


def _rgba(colour: str, opacity: float) -> str:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return f"{red},{green},{blue},{round(255 * opacity)}"


def _limits(limits_mm: Millimetres) -> str:
    """Return sizes as QGIS notes them: scales (none), then whether and where they are bounded."""
    return "3x:0,0,1,{},1,{}".format(*limits_mm)


def _add_part(symbol: ET.Element, kind: str, level: int, options: dict[str, str]) -> None:
    part = ET.SubElement(
        symbol, "layer", {"class": kind, "pass": str(level), "enabled": "1", "locked": "0"}
    )
    _add_options(part, options)


def _add_options(parent: ET.Element, options: Mapping[str, Any]) -> ET.Element:
    table = ET.SubElement(parent, "Option", type="Map")
    for name, value in options.items():
        if isinstance(value, Mapping):
            _add_options(table, value).set("name", name)
        else:
            ET.SubElement(table, "Option", name=name, type="QString", value=str(value))
    return table


def _add_label(root: ET.Element, label: Label) -> None:
    labeling = ET.SubElement(root, "labeling", type="simple")
    settings = ET.SubElement(labeling, "settings")
    text = ET.SubElement(
        settings,
        "text-style",
        fieldName=label.expression,
        isExpression="1",
        fontFamily="Sans",
        fontWeight="75",
        fontSize=str(label.height_m),
        fontSizeUnit=_METRES,
        fontSizeMapUnitScale=_limits(label.limits_mm),
        textColor="20,20,20,255",
        textOpacity="1",
    )
    ET.SubElement(
        text,
        "text-buffer",
        bufferDraw="1",
        bufferSize="0.6",
        bufferSizeUnits="MM",
        bufferColor="255,255,255,255",
        bufferOpacity="0.85",
        bufferNoFill="1",
    )
    # placement 1: on a point, with centroidInside a point within the outline
    ET.SubElement(settings, "placement", placement="1", centroidInside="1", quadOffset="4")
    ET.SubElement(
        settings,
        "rendering",
        drawLabels="1",
        displayAll="1",
        scaleVisibility="1",
        scaleMin="0",
        scaleMax=str(label.from_scale),
        obstacle="0",
    )


def _add_columns(root: ET.Element, columns: Mapping[str, Column], language: Language) -> None:
    widgets = ET.SubElement(root, "fieldConfiguration")
    aliases = ET.SubElement(root, "aliases")
    for index, (name, column) in enumerate(columns.items(), start=1):  # 0 is fid
        if title := column.title.get(language):
            ET.SubElement(aliases, "alias", field=name, index=str(index), name=title)
        if column.values:
            titles = {words[language]: value for value, words in column.values.items()}
            _add_widget(widgets, name, "ValueMap", {"map": titles})
        elif column.kind == "bool":
            _add_widget(widgets, name, "CheckBox", {})


def _add_widget(widgets: ET.Element, name: str, kind: str, options: Mapping[str, Any]) -> None:
    field = ET.SubElement(widgets, "field", name=name)
    widget = ET.SubElement(field, "editWidget", type=kind)
    _add_options(ET.SubElement(widget, "config"), options)
