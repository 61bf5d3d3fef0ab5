"""The metadata record of a map, by ISO 19115, as XML.

It says for catalogues and people what `gravecli_provenance` says for programs.

Source: ISO 19139 (gmd, gco), the encoding that QGIS, GDAL and INSPIRE catalogues read.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from pyproj import CRS

from grave_cli.settings.output import Language

GMD = "http://www.isotc211.org/2005/gmd"
_GCO = "http://www.isotc211.org/2005/gco"
_LISTS = "http://standards.iso.org/iso/19139/resources/gmxCodelists.xml#"
_COUNT = re.compile(r"(<gmd:abstract>\s*<gco:CharacterString>[^<]*: )\d+(\.</gco:CharacterString>)")
_LANGUAGES = {"en": "eng", "de": "ger"}
_MADE = {"en": "Made by gravecli {version}.", "de": "Erstellt von gravecli {version}."}
_LINEAGE = {
    "en": "Mapped by gravecli {version} from the orthophoto {orthophoto} with the model {model}.",
    "de": "Kartiert von gravecli {version} aus dem Orthophoto {orthophoto} mit dem Modell {model}.",
}


def metadata_record(
    title: str,
    abstract: str,
    crs: str,
    bounds: tuple[float, float, float, float],
    provenance: Mapping[str, Any],
    language: Language,
) -> str:
    """Return the metadata record of a map.

    Args:
        title: Title of the map.
        abstract: What it shows.
        crs: CRS of the map.
        bounds: West, south, east and north, in degrees.
        provenance: Origin of the map.
        language: Language of the texts.
    """
    made = str(provenance.get("created") or datetime.now(UTC).isoformat(timespec="seconds"))
    day = made[:10]
    root = ET.Element(_gmd("MD_Metadata"))
    _text(_gmd_path(root, "language"), _LANGUAGES[language])
    _code(_gmd_path(root, "hierarchyLevel"), "MD_ScopeCode", "dataset")
    contact = _gmd_path(root, "contact", "CI_ResponsibleParty")
    _text(_gmd_path(contact, "organisationName"), "gravecli")
    _code(_gmd_path(contact, "role"), "CI_RoleCode", "processor")
    _gco(_gmd_path(root, "dateStamp"), "Date", day)
    system = _gmd_path(root, "referenceSystemInfo", "MD_ReferenceSystem")
    identifier = _gmd_path(system, "referenceSystemIdentifier", "RS_Identifier")
    _text(_gmd_path(identifier, "code"), _crs_name(crs))
    found = _gmd_path(root, "identificationInfo", "MD_DataIdentification")
    _add_citation(found, title, day)
    _text(_gmd_path(found, "abstract"), abstract)
    _text(_gmd_path(found, "language"), _LANGUAGES[language])
    _gmd_path(found, "topicCategory", "MD_TopicCategoryCode").text = "planningCadastre"
    _add_extent(found, bounds)
    quality = _gmd_path(root, "dataQualityInfo", "DQ_DataQuality")
    _code(_gmd_path(quality, "scope", "DQ_Scope", "level"), "MD_ScopeCode", "dataset")
    lineage = _gmd_path(quality, "lineage", "LI_Lineage", "statement")
    _text(lineage, _lineage(provenance, language))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def with_count(record: str, graves: int) -> str:
    """Return a metadata record whose abstract ends in another number of graves.

    Args:
        record: The record, as XML; one whose abstract ends in no number stays as it is.
        graves: Number of graves.
    """
    return _COUNT.sub(rf"\g<1>{graves}\g<2>", record, count=1)


def _lineage(provenance: Mapping[str, Any], language: Language) -> str:
    keys = {"version": "gravecli_version", "orthophoto": "orthophoto", "model": "model"}
    values = {name: str(provenance.get(key) or "?") for name, key in keys.items()}
    text = _LINEAGE if provenance.get("orthophoto") else _MADE
    return text[language].format_map(values)


def _crs_name(crs: str) -> str:
    system = CRS(crs)
    return ":".join(system.to_authority() or ()) or system.name


def _add_citation(found: ET.Element, title: str, day: str) -> None:
    citation = _gmd_path(found, "citation", "CI_Citation")
    _text(_gmd_path(citation, "title"), title)
    date = _gmd_path(citation, "date", "CI_Date")
    _gco(_gmd_path(date, "date"), "Date", day)
    _code(_gmd_path(date, "dateType"), "CI_DateTypeCode", "creation")


def _add_extent(found: ET.Element, bounds: tuple[float, float, float, float]) -> None:
    box = _gmd_path(found, "extent", "EX_Extent", "geographicElement", "EX_GeographicBoundingBox")
    west, south, east, north = bounds
    sides = {"westBoundLongitude": west, "eastBoundLongitude": east}
    sides |= {"southBoundLatitude": south, "northBoundLatitude": north}
    for name, value in sides.items():
        _gco(_gmd_path(box, name), "Decimal", f"{value:.7f}")


def _gmd(name: str) -> str:
    return f"{{{GMD}}}{name}"


def _gmd_path(parent: ET.Element, *names: str) -> ET.Element:
    """Add nested elements and return the innermost."""
    for name in names:
        parent = ET.SubElement(parent, _gmd(name))
    return parent


def _gco(parent: ET.Element, kind: str, value: str) -> None:
    ET.SubElement(parent, f"{{{_GCO}}}{kind}").text = value


def _text(parent: ET.Element, value: str) -> None:
    _gco(parent, "CharacterString", value)


def _code(parent: ET.Element, kind: str, value: str) -> None:
    code = ET.SubElement(parent, _gmd(kind), codeList=_LISTS + kind, codeListValue=value)
    code.text = value


ET.register_namespace("gmd", GMD)
ET.register_namespace("gco", _GCO)
