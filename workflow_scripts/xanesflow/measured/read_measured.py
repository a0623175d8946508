"""Read a file from a beamline and normalise its spectra."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import list_files, sha256_file, sha256_text
from xanesflow.measured.athena import Group, choose_groups, is_project, read_project
from xanesflow.measured.column_table import ColumnTable, read_table
from xanesflow.measured.energies import in_order, to_ev
from xanesflow.measured.foreign_file import check_length, on_one_line, read_text
from xanesflow.measured.measured_spectrum import MeasuredSpectrum, Mode, Normalisation, Reading, Scan
from xanesflow.measured.normalise import normalise
from xanesflow.measured.signals import OWN, OWN_TABLE, take_signal


def read_measured(
    path: str | Path, reading: Reading | None = None, normalisation: Normalisation | None = None
) -> list[MeasuredSpectrum]:
    """Read a file and normalise its spectra: one, or the chosen groups of an Athena project.

    Args:
        path: XDI, Athena project, or text in columns.
        reading: how to read it, if the file does not say it.
        normalisation: how to normalise it.

    Raises:
        XanesflowError: it cannot be read, leaves open what its columns hold, or has no usable spectrum.
    """
    return [normalise(scan, normalisation) for scan in read_scans(Path(path), reading or Reading())]


def read_several(
    paths: Sequence[Path],
    reading: Reading | None = None,
    normalisation: Normalisation | None = None,
    *,
    leave_out: Callable[[str], object],
) -> list[MeasuredSpectrum]:
    """Read files and the files of folders; of several, those that cannot be used are left out.

    Args:
        paths: files and folders.
        reading: as for `read_measured`.
        normalisation: as for `read_measured`.
        leave_out: gets a sentence for each file that is left out.

    Raises:
        XanesflowError: there is no usable spectrum.
    """
    if len(paths) == 1 and not paths[0].is_dir():
        return read_measured(paths[0], reading, normalisation)
    spectra: list[MeasuredSpectrum] = []
    failed = 0
    for path in list_files(paths):
        try:
            spectra += read_measured(path, reading, normalisation)
        except XanesflowError as error:
            failed += 1
            leave_out(str(error))
    if not spectra:
        if failed == 1:
            raise XanesflowError("The only file cannot be used, for the reason above.")
        raise XanesflowError(f"None of the {failed} files can be used, for the reasons above.")
    return spectra


def read_scans(path: Path, reading: Reading) -> Iterator[Scan]:
    """The spectra of a file, not normalised yet.

    Raises:
        XanesflowError: as for `read_measured`.
    """
    text, name = read_text(path), on_one_line(path.name)
    hashes = {"file_sha256": sha256_file(path), "text_sha256": sha256_text(text)}
    if is_project(text):
        for group in choose_groups(read_project(text, name), reading.groups, name):
            yield _of_group(group, hashes, f"{name}: {group.label}", reading)
        return
    if reading.groups:
        raise XanesflowError(f"{name} is no Athena project and has no groups; leave out --group.")
    check_length(text, name)
    yield _of_table(read_table(text, name, reading.decimal), hashes, name, reading)


def _of_table(table: ColumnTable, hashes: Mapping[str, str], name: str, reading: Reading) -> Scan:
    signal = take_signal(table, name, reading.columns, reading.mode)
    d_spacing = reading.d_spacing or _d_spacing(table)
    energy, unit = to_ev(
        signal.x, name, stated=signal.x_unit, angle=signal.x_is_angle, asked=reading.energy_unit, d_spacing=d_spacing
    )
    curves = [signal.mu] if signal.flattened is None else [signal.mu, signal.flattened]
    energy, curves, remarks = in_order(energy, curves, name, reading.exclude, lost=signal.lost)
    if reading.d_spacing and unit != "deg":
        remarks += (f"the energies are in {unit} and no angles, so --d-spacing has no effect",)
    parameters: dict[str, Any] = {
        "format": "XDI" if table.header and table.header[0].startswith("XDI/") else "columns",
        **hashes,
        "columns": dict(signal.used),
        "decimal": table.decimal,
        "energy_unit": unit,
        "energy_shift_ev": 0.0,
    }
    if unit == "deg":
        parameters["d_spacing_angstrom"] = d_spacing
    if reading.exclude:
        parameters["excluded_ev"] = [list(each) for each in reading.exclude]
    if sample := table.fields.get("sample.name"):
        parameters["sample"] = on_one_line(sample)
    element, edge = table.fields.get("element.symbol"), table.fields.get("element.edge")
    if signal.mode == "reference":
        element = edge = None  # what the file states is the sample's
    own = _of_own_table(table)
    parameters |= {each: own[each] for each in ("source", "text_sha256", "group_key") if each in own}
    e0 = _stated_e0(own.get("e0_ev"), name) if signal.mode == "normalised" else None
    flattened = curves[1] if len(curves) > 1 else None
    return Scan(
        energy,
        curves[0],
        signal.mode,
        name,
        element,
        edge,
        e0,
        flattened,
        None,
        parameters,
        (*table.remarks, *signal.remarks, *remarks),
    )


def _of_own_table(table: ColumnTable) -> dict[str, str]:
    """What the header of a table says that `xanesflow measured` has written; empty for other files."""
    if table.labels != OWN_TABLE:
        return {}
    start = f"{OWN.lower()}."
    own = {key.removeprefix(start): each for key, each in table.fields.items() if key.startswith(start)}
    lengths = {"text_sha256": len(own.get("text_sha256", ""))}  # of all parts, if it was merged
    return {key: on_one_line(each, lengths.get(key, 80)) for key, each in own.items()}


def _stated_e0(stated: str | None, name: str) -> float | None:
    try:
        return None if stated is None else float(stated)
    except ValueError:
        raise XanesflowError(
            f"{name} states {on_one_line(stated or '')} as its E0, which is no number; correct it."
        ) from None


def _d_spacing(table: ColumnTable) -> float | None:
    stated = table.fields.get("mono.d_spacing", "").split()
    try:
        return float(stated[0])
    except (IndexError, ValueError):
        return None


def _of_group(group: Group, hashes: Mapping[str, str], name: str, reading: Reading) -> Scan:
    if any(group.on(switch) for switch in ("is_chi", "is_rsp", "is_qsp")) or group.values.get("datatype") == "chi":
        raise XanesflowError(f"{name} holds χ(k) and no absorption near an edge; choose another group with --group.")
    if reading.columns or (reading.mode and reading.mode not in ("mu", "normalised")):
        raise XanesflowError(f"{name}: a project's group holds µ alone; leave out --columns and --mode.")
    mode: Mode = reading.mode or ("normalised" if group.on("is_nor") else "mu")
    energy, unit = to_ev(group.x, name, stated="", angle=False, asked=reading.energy_unit, d_spacing=reading.d_spacing)
    energy, curves, remarks = in_order(energy + group.shift_ev, [group.y], name, reading.exclude)
    parameters: dict[str, Any] = {
        "format": "Athena project",
        **hashes,
        "group": group.label,
        "group_key": group.key,
        "energy_unit": unit,
        "energy_shift_ev": group.shift_ev,
    }
    if reading.exclude:
        parameters["excluded_ev"] = [list(each) for each in reading.exclude]
    element, edge = (str(group.values.get(key) or "").strip() or None for key in ("bkg_z", "fft_edge"))
    if element and not element.isalpha():
        element = edge = None
    return Scan(energy, curves[0], mode, name, element, edge, None, None, group.stored(), parameters, remarks)
