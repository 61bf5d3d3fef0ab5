"""Files that make GDAL fetch an address or read other files, under innocent names."""

import json
import sqlite3
from collections.abc import Callable
from html import escape
from pathlib import Path

import numpy as np
import rasterio
from deliveries import GRAVES, write
from rasterio.transform import from_origin

SIDE = 64
_FRAME = (
    f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"%s><SRS>EPSG:25832</SRS>'
    "<GeoTransform>500000,0.1,0,5400010,0,-0.1</GeoTransform>%s</VRTDataset>"
)
_PLACE = "500000,0.1,0,5400010,0,-0.1"
_INVERSE = "-5000000,10,0,54000100,0,-10"

Make = Callable[[Path, str], Path]
"""Writes a file into a folder; the second argument is the address to be fetched."""


def tif(path: Path) -> Path:
    how = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:25832", "transform": from_origin(500_000, 5_400_010, 0.1, 0.1)}
    with rasterio.open(path, "w", **how, **place) as file:
        noise = np.random.default_rng(0).integers(1, 255, (3, SIDE, SIDE), dtype=np.uint8)
        file.write(noise)
    return path


def source(name: str, relative: int = 0) -> str:
    return (
        f'<SimpleSource><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource>"
    )


def bands(inner: str, attributes: str = "") -> str:
    return "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"{attributes}>{inner}</VRTRasterBand>'
        for band in (1, 2, 3)
    )


def vrt(path: Path, inner: str, attributes: str = "") -> Path:
    path.write_text(_FRAME % (attributes, inner), encoding="utf-8")
    return path


def wms(url: str) -> str:
    return (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl>'
        "</Service><DataWindow><UpperLeftX>500000</UpperLeftX><UpperLeftY>5400010</UpperLeftY>"
        "<LowerRightX>500006.4</LowerRightX><LowerRightY>5400003.6</LowerRightY>"
        f"<SizeX>{SIDE}</SizeX><SizeY>{SIDE}</SizeY></DataWindow><Projection>EPSG:25832"
        f"</Projection><BlockSizeX>{SIDE}</BlockSizeX><BlockSizeY>{SIDE}</BlockSizeY>"
        "<BandsCount>3</BandsCount></GDAL_WMS>"
    )


def _text(name: str, text: Callable[[str], str]) -> Make:
    def make(folder: Path, url: str) -> Path:
        path = folder / name
        path.write_text(text(url), encoding="utf-8")
        return path

    return make


def _vrt(inner: Callable[[str], str], attributes: str = "", name: str = "a.vrt") -> Make:
    def make(folder: Path, url: str) -> Path:
        tif(folder / "tile.tif")
        return vrt(folder / name, inner(url), attributes)

    return make


def _beside(ending: str, text: Callable[[str], str]) -> Make:
    def make(folder: Path, url: str) -> Path:
        (folder / f"a.tif{ending}").write_text(text(url), encoding="utf-8")
        return tif(folder / "a.tif")

    return make


def _linked_overviews(path: Path, url: str) -> Path:
    with rasterio.open(tif(path), "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{url}/o.tif")
    return path


def _through_a_source(folder: Path, url: str) -> Path:
    _linked_overviews(folder / "tile.tif", url)
    return vrt(folder / "a.vrt", bands(source("tile.tif", 1)))


def _wms_as_source(folder: Path, url: str) -> Path:
    (folder / "tile.tif").write_text(wms(url), encoding="utf-8")
    return vrt(folder / "a.vrt", bands(source("tile.tif", 1)))


def _inner_vrt(folder: Path, url: str) -> Path:
    vrt(folder / "inner.vrt", bands(source(f"/vsicurl/{url}/a.tif")))
    return vrt(folder / "a.vrt", bands(source("inner.vrt", 1)))


def _aux(url: str) -> str:
    return (
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">'
        f"/vsicurl/{url}/o.tif</MDI></Metadata></PAMDataset>"
    )


def _warped(source_of: Callable[[str], str], transformer: str) -> Make:
    def inner(url: str) -> str:
        return (
            bands("", ' subClass="VRTWarpedRasterBand"')
            + f"<GDALWarpOptions>{source_of(url)}<Transformer><GenImgProjTransformer>"
            f"{transformer.replace('URL', url)}<DstGeoTransform>{_PLACE}</DstGeoTransform>"
            f"<DstInvGeoTransform>{_INVERSE}</DstInvGeoTransform></GenImgProjTransformer>"
            '</Transformer><BandList><BandMapping src="1" dst="1"/></BandList></GDALWarpOptions>'
        )

    return _vrt(inner, ' subClass="VRTWarpedDataset"')


_AFFINE = (
    f"<SrcGeoTransform>{_PLACE}</SrcGeoTransform><SrcInvGeoTransform>{_INVERSE}"
    "</SrcInvGeoTransform>"
)
_GEOLOC = (
    "<SrcGeoLocTransformer><GeoLocTransformer><Metadata><MDI key='X_DATASET'>/vsicurl/URL/x.tif"
    "</MDI><MDI key='Y_DATASET'>/vsicurl/URL/y.tif</MDI><MDI key='X_BAND'>1</MDI>"
    "<MDI key='Y_BAND'>1</MDI><MDI key='PIXEL_OFFSET'>0</MDI><MDI key='PIXEL_STEP'>1</MDI>"
    "<MDI key='LINE_OFFSET'>0</MDI><MDI key='LINE_STEP'>1</MDI></Metadata></GeoLocTransformer>"
    "</SrcGeoLocTransformer>"
)
_RAW = (
    '<SourceFilename relativeToVRT="0">{}</SourceFilename><ImageOffset>0</ImageOffset>'
    "<PixelOffset>1</PixelOffset><LineOffset>1</LineOffset>"
)


def _raw(inner: str, attributes: str) -> Make:
    def make(folder: Path, url: str) -> Path:
        secret = folder.parent / f"{folder.name}.txt"
        secret.write_bytes(b"secret" * SIDE * SIDE)
        return vrt(folder / "a.vrt", bands(inner + _RAW.format(secret), attributes))

    return make


def _outside(folder: Path, url: str) -> Path:
    other = folder.parent / f"{folder.name}-other"
    other.mkdir()
    tif(other / "private.tif")
    return vrt(folder / "a.vrt", bands(source(f"../{other.name}/private.tif", 1)))


def _outside_by_link(folder: Path, url: str) -> Path:
    other = folder.parent / f"{folder.name}-other"
    other.mkdir()
    (folder / "tile.tif").symlink_to(tif(other / "private.tif"))
    return vrt(folder / "a.vrt", bands(source("tile.tif", 1)))


HOSTILE_RASTERS: dict[str, Make] = {
    "WMS text": _text("a.tif", wms),
    "WMTS text": _text(
        "a.tif",
        lambda url: f"<GDAL_WMTS><GetCapabilitiesUrl>{url}</GetCapabilitiesUrl></GDAL_WMTS>",
    ),
    "WCS text": _text("a.tif", lambda url: f"<WCS_GDAL><ServiceURL>{url}</ServiceURL></WCS_GDAL>"),
    "STAC": _text("a.tif", lambda url: json.dumps({"type": "FeatureCollection", "stac": url})),
    "vsicurl": _vrt(lambda url: bands(source(f"/vsicurl/{url}/a.tif"))),
    "vsicurl by name tif": _vrt(lambda url: bands(source(f"/vsicurl/{url}/a.tif")), name="a.tif"),
    "vsizip of vsicurl": _vrt(lambda url: bands(source(f"/vsizip//vsicurl/{url}/a.zip/a.tif"))),
    "http": _vrt(lambda url: bands(source(f"{url}/a.tif"))),
    "WMS as a source": _vrt(lambda url: bands(source(escape(wms(url))))),
    "WMS file as a source": _wms_as_source,
    "VRT in a VRT": _inner_vrt,
    "source as an attribute": _vrt(
        lambda url: bands(
            f'<SimpleSource SourceFilename="/vsicurl/{url}/a.tif"><SourceBand>1</SourceBand>'
            "</SimpleSource>"
        )
    ),
    "overview": _vrt(
        lambda url: bands(
            f"{source('tile.tif', 1)}<Overview><SourceFilename>/vsicurl/{url}/o.tif"
            "</SourceFilename><SourceBand>1</SourceBand></Overview>"
        )
    ),
    "mask": _vrt(
        lambda url: (
            bands(source("tile.tif", 1))
            + f'<MaskBand><VRTRasterBand dataType="Byte">{source(f"/vsicurl/{url}/m.tif")}'
            "</VRTRasterBand></MaskBand>"
        )
    ),
    "warped": _warped(lambda url: f"<SourceDataset>/vsicurl/{url}/w.tif</SourceDataset>", _AFFINE),
    "geolocation arrays": _warped(
        lambda url: '<SourceDataset relativeToVRT="1">tile.tif</SourceDataset>', _GEOLOC
    ),
    "option of a source": _vrt(
        lambda url: bands(
            source("tile.tif", 1).replace(
                "<SourceBand>",
                '<OpenOptions><OOI key="PRELUDE_STATEMENTS">ATTACH</OOI></OpenOptions><SourceBand>',
            )
        )
    ),
    "CDATA": _vrt(lambda url: bands(source(f"<![CDATA[/vsicurl/{url}/a.tif]]>"))),
    "Python": _vrt(
        lambda url: bands(
            source("tile.tif", 1) + "<PixelFunctionLanguage>Python</PixelFunctionLanguage>",
            ' subClass="VRTDerivedRasterBand"',
        )
    ),
    "raw bytes": _raw("", ' subClass="VRTRawRasterBand"'),
    "raw bytes by element": _raw("<subClass>VRTRawRasterBand</subClass>", ""),
    "outside": _outside,
    "outside by a link": _outside_by_link,
    ".ovr of WMS": _beside(".ovr", wms),
    ".msk of WMS": _beside(".msk", wms),
    ".ovr of VRT": _beside(
        ".ovr", lambda url: _FRAME % ("", bands(source(f"/vsicurl/{url}/a.tif")))
    ),
    "overviews by .aux.xml": _beside(".aux.xml", _aux),
    "overviews by tag": lambda folder, url: _linked_overviews(folder / "a.tif", url),
    "overviews of a source": _through_a_source,
}

_POLYGON = "[[[9,48],[9.0001,48],[9.0001,48.0001],[9,48]]]"


def _geojson(crs: str) -> Make:
    return _text(
        "a.geojson",
        lambda url: (
            '{"type":"FeatureCollection",'
            + crs.replace("URL", url)
            + ',"features":[{"type":"Feature","properties":{},"geometry":{"type":"Polygon",'
            f'"coordinates":{_POLYGON}}}}}]}}'
        ),
    )


def _gml(head: str = "", schema: str = "a.xsd", srs: str = "EPSG:25832", inner: str = "") -> Make:
    return _text(
        "a.gml",
        lambda url: (
            f'<?xml version="1.0"?>{head}<ogr:FeatureCollection '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            f'xsi:schemaLocation="http://ogr.maptools.org/ {schema}" '
            'xmlns:ogr="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml" '
            'xmlns:xlink="http://www.w3.org/1999/xlink"><gml:featureMember><ogr:a>'
            f'<ogr:geometryProperty><gml:Polygon srsName="{srs}"><gml:outerBoundaryIs>'
            "<gml:LinearRing><gml:coordinates>500000,5400000 500001,5400000 500001,5400001 "
            "500000,5400000</gml:coordinates></gml:LinearRing></gml:outerBoundaryIs>"
            f"</gml:Polygon></ogr:geometryProperty>{inner}</ogr:a></gml:featureMember>"
            "</ogr:FeatureCollection>"
        ).replace("URL", url),
    )


def geopackage(*statements: str, view: str = "") -> Make:
    """A GeoPackage of graves with more statements of SQL; `view` is listed as a layer."""

    def make(folder: Path, url: str) -> Path:
        path = write(folder / "a.gpkg", GRAVES, layer="plain")
        base = sqlite3.connect(path)
        base.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            base.execute(statement.replace("URL", url))
        if view:
            contents = "INSERT INTO gpkg_contents(table_name, data_type, identifier, srs_id) "
            base.execute(f"{contents} VALUES('{view}', 'features', '{view}', 25832)")
            columns = f"VALUES('{view}', 'geom', 'POLYGON', 25832, 0, 0)"
            base.execute(f"INSERT INTO gpkg_geometry_columns {columns}")
        base.commit()
        base.close()
        return path

    return make


_VIRTUAL = (
    "INSERT INTO sqlite_master(type, name, tbl_name, rootpage, sql) VALUES('table', 'v', 'v', 0, "
    "'CREATE VIRTUAL TABLE v USING VirtualOGR(''/vsicurl/URL/a.geojson'')')"
)

HOSTILE_VECTORS: dict[str, Make] = {
    "crs by link": _geojson('"crs":{"type":"link","properties":{"href":"URL","type":"proj4"}}'),
    "crs by link, escaped": _geojson(
        r'"crs":{"t\u0079pe":"l\u0069nk","properties":{"href":"URL","type":"proj4"}}'
    ),
    "crs by link, all escaped": _geojson(
        r'"\u0063r\u0073":{"type":"link","properties":{"href":"URL","type":"proj4"}}'
    ),
    "crs named by address": _geojson('"crs":{"type":"name","properties":{"name":"URL/x"}}'),
    "VRT": _text(
        "a.gpkg",
        lambda url: (
            '<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>'
            f"/vsicurl/{url}/a.geojson</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
        ),
    ),
    "VRT behind a comment": _text(
        "a.gml",
        lambda url: (
            f"<!--{'x' * 5000}--><OGRVRTDataSource><OGRVRTLayer name='a'>"
            f"<SrcDataSource>/vsicurl/{url}/a.geojson</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
        ),
    ),
    "WFS": _text("a.gml", lambda url: f"<OGRWFSDataSource><URL>{url}</URL></OGRWFSDataSource>"),
    "schema": _gml(schema="URL/a.xsd"),
    "schema by vsicurl": _gml(schema="/vsicurl/URL/a.xsd"),
    "CRS of GML": _gml(srs="URL/crs"),
    "xlink": _gml(inner='<ogr:x xlink:href="URL/a.gml#b"/>'),
    "entity": _gml(head='<!DOCTYPE r [<!ENTITY e SYSTEM "URL/e">]>', inner="<ogr:n>&e;</ogr:n>"),
    "NetworkLink": _text(
        "a.kml",
        lambda url: (
            '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><NetworkLink><Link>'
            f"<href>{url}/b.kml</href></Link></NetworkLink><Placemark><Polygon><outerBoundaryIs>"
            "<LinearRing><coordinates>9,48 9.1,48 9.1,48.1 9,48</coordinates></LinearRing>"
            "</outerBoundaryIs></Polygon></Placemark></Document></kml>"
        ),
    ),
    "virtual table": geopackage(_VIRTUAL, view="v"),
    "function in a view": geopackage(
        "CREATE VIEW v AS SELECT fid, geom, "
        "ogr_datasource_load_layers('/vsicurl/URL/a.geojson') AS n FROM plain",
        view="v",
    ),
}
