"""Tables that a GeoPackage has beside its layers: styles, titles of columns, a metadata record.

Source: OGC 12-128r18 (GeoPackage 1.3), annexes F.8 (metadata) and F.9 (schema); `layer_styles` is
the table in which QGIS keeps default styles.
"""

import sqlite3
from collections.abc import Sequence

from grave_cli.delivery.layer import Layer
from grave_cli.delivery.metadata_record import GMD
from grave_cli.delivery.qml import to_qml
from grave_cli.settings.output import Language

_GEOMETRY = "geom"
_STYLE = "gravecli"
_EXTENSIONS = (
    ("gpkg_data_columns", "gpkg_schema", "extension_schema"),
    ("gpkg_data_column_constraints", "gpkg_schema", "extension_schema"),
    ("gpkg_metadata", "gpkg_metadata", "extension_metadata"),
    ("gpkg_metadata_reference", "gpkg_metadata", "extension_metadata"),
)
_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ','now')"
_TABLES = f"""
CREATE TABLE gpkg_data_columns (
    table_name TEXT NOT NULL,
    column_name TEXT NOT NULL,
    name TEXT,
    title TEXT,
    description TEXT,
    mime_type TEXT,
    constraint_name TEXT,
    CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
    CONSTRAINT gdc_tn UNIQUE (table_name, name)
);
CREATE TABLE gpkg_data_column_constraints (
    constraint_name TEXT NOT NULL,
    constraint_type TEXT NOT NULL,
    value TEXT,
    min NUMERIC,
    min_is_inclusive BOOLEAN,
    max NUMERIC,
    max_is_inclusive BOOLEAN,
    description TEXT,
    CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value)
);
CREATE TABLE gpkg_metadata (
    id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL,
    md_scope TEXT NOT NULL DEFAULT 'dataset',
    md_standard_uri TEXT NOT NULL,
    mime_type TEXT NOT NULL DEFAULT 'text/xml',
    metadata TEXT NOT NULL DEFAULT ''
);
CREATE TABLE gpkg_metadata_reference (
    reference_scope TEXT NOT NULL,
    table_name TEXT,
    column_name TEXT,
    row_id_value INTEGER,
    timestamp DATETIME NOT NULL DEFAULT ({_NOW}),
    md_file_id INTEGER NOT NULL,
    md_parent_id INTEGER,
    CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id),
    CONSTRAINT crmr_mpi_fk FOREIGN KEY (md_parent_id) REFERENCES gpkg_metadata(id)
);
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256),
    f_table_schema TEXT(256),
    f_table_name TEXT(256),
    f_geometry_column TEXT(256),
    styleName TEXT(30),
    styleQML TEXT,
    styleSLD TEXT,
    useAsDefault BOOLEAN,
    description TEXT,
    owner TEXT(30),
    ui TEXT(30),
    update_time DATETIME DEFAULT ({_NOW})
);
INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id)
    VALUES ('layer_styles', 'attributes', 'layer_styles', 0);
CREATE TABLE IF NOT EXISTS gpkg_extensions (
    table_name TEXT,
    column_name TEXT,
    extension_name TEXT NOT NULL,
    definition TEXT NOT NULL,
    scope TEXT NOT NULL,
    CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name)
);
"""


def add_tables(
    database: sqlite3.Connection, layers: Sequence[Layer], record: str, language: Language
) -> None:
    """Add styles, titles and a metadata record to a new GeoPackage.

    Args:
        database: The GeoPackage, with all its layers.
        layers: The layers.
        record: The metadata record, as XML.
        language: Language of all texts.
    """
    database.executescript(_TABLES)
    database.executemany(
        "INSERT INTO gpkg_extensions VALUES (?, NULL, ?, ?, 'read-write')",
        [
            (table, name, f"http://www.geopackage.org/spec/#{page}")
            for table, name, page in _EXTENSIONS
        ],
    )
    for layer in layers:
        describe_layer(database, layer, language)
    database.execute(
        "INSERT INTO gpkg_metadata (id, md_standard_uri, metadata) VALUES (1, ?, ?)", (GMD, record)
    )
    database.execute(
        "INSERT INTO gpkg_metadata_reference (reference_scope, md_file_id) VALUES ('geopackage', 1)"
    )


def describe_layer(database: sqlite3.Connection, layer: Layer, language: Language) -> None:
    """Add the titles and the style of a layer.

    Args:
        database: The GeoPackage, with that layer and the tables of `add_tables`.
        layer: The layer.
        language: Language of all texts.
    """
    _describe(database, layer, language)
    if layer.style is not None:
        _add_style(database, layer, to_qml(layer, layer.style, language), language)


def _describe(database: sqlite3.Connection, layer: Layer, language: Language) -> None:
    title, description = layer.title[language], layer.description[language]
    if title:
        database.execute(
            "UPDATE gpkg_contents SET identifier = ?, description = ? WHERE table_name = ?",
            (title, description, layer.name),
        )
    rows = [
        (layer.name, name, column.title[language], column.description[language])
        for name, column in layer.columns.items()
        if column.title[language]
    ]
    database.executemany(
        "INSERT INTO gpkg_data_columns (table_name, column_name, title, description)"
        " VALUES (?, ?, ?, ?)",
        rows,
    )


def _add_style(database: sqlite3.Connection, layer: Layer, qml: str, language: Language) -> None:
    geometry = "" if layer.geometries is None else _GEOMETRY
    database.execute(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name,"
        " f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner)"
        " VALUES ('', '', ?, ?, ?, ?, '', 1, ?, 'gravecli')",
        (layer.name, geometry, _STYLE, qml, layer.title[language]),
    )
