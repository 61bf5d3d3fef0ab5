"""A data folder in, a report on problems that would stop or spoil a training out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from grave_cli.dataset.deliveries import (
    check_depths,
    delivery_doubts,
    delivery_notes,
    height_notes,
    measure_value_range,
)
from grave_cli.dataset.identity.dataset_id import dataset_id
from grave_cli.dataset.manifest import Cemetery, Manifest, manifest_of, unread_notes
from grave_cli.dataset.overlaps import REMEDY, find_overlaps
from grave_cli.dataset.plans import PartPlan, plan_cemetery, plan_part
from grave_cli.dataset.splits import Part, assign_parts
from grave_cli.dataset.truth_notes import truth_notes
from grave_cli.doctor.checks import CHECKS, GROUND_CHECKS
from grave_cli.doctor.patient import Patient
from grave_cli.doctor.report import SEVERITIES, CemeteryRow, CheckReport, Finding
from grave_cli.errors import GraveError
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.tree import Settings
from grave_cli.wording import counted

_FEW_GRAVES = 4  # fewer decide nothing
_GSD_SPREAD = 2.5  # ratio of the coarsest to the finest pixel size that deserves a warning


def examine(settings: Settings, progress: Progress = SILENT) -> CheckReport:
    """Examine a data set before training.

    A faulty file never stops the examination; each fault becomes a finding.

    Args:
        settings: Data folder, channels, splits and sizes.
        progress: Progress listener.
    """
    try:
        manifest = manifest_of(settings.data)
        identity = dataset_id(manifest)
    except GraveError as error:
        return CheckReport("", (), (Finding("error", "", str(error)),))
    findings = [Finding("note", "", note) for note in unread_notes(manifest)]
    manifest, parts = _assign(manifest, settings, findings)
    patients: list[Patient] = []
    plans: list[PartPlan] = []
    everything = (*manifest.cemeteries, *manifest.ground)
    with progress.task("Examining", len(everything), "cemeteries") as advance:
        for cemetery in everything:
            own = [part for part in parts if part.cemetery.name == cemetery.name]
            patients += _examine_cemetery(cemetery, own, settings, findings, plans)
            advance(1)
    findings += _compare(patients)
    findings += _count_validating(plans)
    findings += _check_depths(patients, parts)
    shown = () if _is_flight(manifest) else parts
    findings += _check_overlaps(patients, _splits_of(patients, shown))
    rows = tuple(_row(patient, shown) for patient in patients)
    unique = dict.fromkeys(findings)
    ordered = sorted(unique, key=lambda finding: SEVERITIES.index(finding.severity))
    return CheckReport(identity, rows, tuple(ordered))


def _assign(
    manifest: Manifest, settings: Settings, findings: list[Finding]
) -> tuple[Manifest, Sequence[Part]]:
    """Assign the splits; if that fails, examine every labelled cemetery anyway.

    The folder of a drone project without labels is no training data: its flight is examined alone.
    """
    if _is_flight(manifest):
        flights = tuple(replace(one, is_ground=True) for one in manifest.cemeteries)
        name = flights[0].name
        words = f"a flight without annotations: it can be mapped; annotations/{name}.gpkg in this "
        findings.append(Finding("note", name, f"{words}folder would make it training data"))
        return replace(manifest, cemeteries=flights), [Part(one, "test") for one in flights]
    try:
        return manifest, assign_parts(manifest, settings.data)
    except GraveError as error:
        findings.append(Finding("error", "", str(error)))
        labelled = [one for one in manifest.cemeteries if one.labels is not None]
        return manifest, [Part(one, "train") for one in (*labelled, *manifest.ground)]


def _is_flight(manifest: Manifest) -> bool:
    return manifest.project is not None and not any(one.labels for one in manifest.cemeteries)


def _examine_cemetery(
    cemetery: Cemetery,
    parts: Sequence[Part],
    settings: Settings,
    findings: list[Finding],
    plans: list[PartPlan],
) -> Iterator[Patient]:
    if not parts:
        findings.append(Finding("note", cemetery.name, "not used, because it is in no split"))
        return
    try:
        whole = plan_cemetery(cemetery, settings)
    except GraveError as error:
        findings.append(Finding("error", cemetery.name, str(error)))
        return
    planned: list[PartPlan] = []
    for part in parts:
        try:
            planned.append(plan_part(part, whole, settings))
        except GraveError as error:
            findings.append(Finding("error", cemetery.name, str(error)))
    if not planned:
        return
    plans += planned
    patient = Patient(whole, settings)
    try:
        for check in GROUND_CHECKS if cemetery.is_ground else CHECKS:
            findings += check(patient)
        read = delivery_notes(whole.orthophoto, whole.dem)
        notes = (*read, *height_notes(whole.dem), *truth_notes(whole))
        findings += [Finding("note", cemetery.name, note) for note in notes]
        doubts = (*delivery_doubts(whole.orthophoto, whole.dem), *whole.graves.notes)
        findings += [Finding("warning", cemetery.name, doubt) for doubt in doubts]
        yield patient
    except GraveError as error:
        findings.append(Finding("error", cemetery.name, str(error)))


def _compare(patients: Sequence[Patient]) -> Iterator[Finding]:
    """Find differences between cemeteries: very different pixel sizes, missing DEMs."""
    sizes = {patient.name: patient.layout.gsd_m for patient in patients}
    if not sizes:
        return
    finest, coarsest = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if sizes[coarsest] > _GSD_SPREAD * sizes[finest]:
        yield Finding(
            "warning",
            "",
            f"pixel sizes range from {sizes[finest]:.3f} m ({finest}) to {sizes[coarsest]:.3f} m "
            f"({coarsest}); details of the finest orthophoto are invisible in the coarsest",
            "set grid.gsd_m close to the coarsest",
        )
    labelled = [patient for patient in patients if not patient.cemetery.is_ground]
    without = [patient.name for patient in labelled if patient.cemetery.dem is None]
    if 0 < len(without) < len(labelled):
        yield Finding(
            "note", "", f"no DEM for {', '.join(without)}; only --channels rgb works for all"
        )


def _count_validating(plans: Sequence[PartPlan]) -> Iterator[Finding]:
    """Find a validation by so few graves that its scores are chance."""
    validating = [plan for plan in plans if plan.part.split == "val"]
    count = sum(len(plan.graves) for plan in validating)
    if validating and count < _FEW_GRAVES:
        yield Finding(
            "warning",
            validating[0].whole.files.name,
            f"only {counted(count, 'grave')} to validate on: too few to tell good epochs from bad",
            "label more graves, set a larger data.val_share or a smaller data.guard_m, or name a "
            "cemetery in data.val",
        )


def _check_depths(patients: Sequence[Patient], parts: Sequence[Part]) -> Iterator[Finding]:
    orthophotos = {patient.name: patient.whole.orthophoto for patient in patients}
    trained = [part.cemetery.name for part in parts if part.split == "train"]
    training = [orthophotos[name] for name in trained if name in orthophotos]
    try:
        value_range = measure_value_range(training or orthophotos.values())
        check_depths(orthophotos.values(), value_range)
    except GraveError as error:
        yield Finding("error", "", str(error))


def _check_overlaps(
    patients: Sequence[Patient], splits: Mapping[str, frozenset[str]]
) -> Iterator[Finding]:
    for name, sentence in find_overlaps([patient.whole for patient in patients], splits):
        yield Finding("warning", name, sentence, REMEDY)


def _splits_of(patients: Sequence[Patient], parts: Sequence[Part]) -> dict[str, frozenset[str]]:
    names = [patient.name for patient in patients]
    return {
        name: frozenset(part.split for part in parts if part.cemetery.name == name)
        for name in names
    }


def _row(patient: Patient, parts: Sequence[Part]) -> CemeteryRow:
    grid, valid, heights = patient.whole.grid, patient.pixels.valid, patient.heights
    known = None if heights is None else np.isfinite(heights) & valid
    measured = known is not None and bool(known.any())
    return CemeteryRow(
        name=patient.name,
        splits=tuple(part.split for part in parts if part.cemetery.name == patient.name),
        width_m=grid.width * grid.gsd_m,
        height_m=grid.height * grid.gsd_m,
        crs=patient.layout.crs,
        gsd_m=patient.layout.gsd_m,
        valid_share=float(valid.mean()),
        dem_share=None if known is None else float(known.sum() / max(valid.sum(), 1)),
        dem_low_m=float(heights[known].min()) if measured and heights is not None else None,
        dem_high_m=float(heights[known].max()) if measured and heights is not None else None,
        graves=len(patient.whole.graves.polygons),
        median_area_m2=float(np.median(patient.areas_m2)) if len(patient.areas_m2) else None,
    )
