"""Write normalised spectra: a table (.csv), or everything that is known (.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import json_text, write_text
from xanesflow.measured.foreign_file import on_one_line
from xanesflow.measured.measured_spectrum import MeasuredSpectrum
from xanesflow.measured.signals import OWN, OWN_TABLE

ENDINGS = (".csv", ".json")


def check_output(path: Path, spectra: int = 1) -> None:
    """Refuse a file that cannot hold the spectra, before they are read.

    Raises:
        XanesflowError: the ending is another, or there are several spectra for one table.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise XanesflowError(f"--output {path} must end with .csv or .json; choose one of them.")
    if ending == ".csv" and spectra > 1:
        raise XanesflowError(
            f"--output {path} holds one spectrum, and there are {spectra}; add --merge, write them to a .json, "
            "or give the files one by one."
        )


def write_spectra(path: Path, spectra: Sequence[MeasuredSpectrum]) -> None:
    """Write spectra: a table of one, or JSON (an object for one, a list for several).

    Raises:
        XanesflowError: as for `check_output`.
    """
    check_output(path, len(spectra))
    if path.suffix.lower() == ".csv":
        write_text(path, _table(spectra[0]))
        return
    records = [as_record(each) for each in spectra]
    texts = [_object(each) for each in records]
    write_text(path, (texts[0] if len(texts) == 1 else "[\n" + ",\n".join(texts) + "\n]") + "\n")


def as_record(spectrum: MeasuredSpectrum) -> dict[str, Any]:
    """A spectrum as a dictionary, with lists for arrays."""
    curves = ("energy_ev", "mu", "normalised", "flattened", "pre_edge", "post_edge")
    return {
        "source": spectrum.source,
        "element": spectrum.element,
        "edge": spectrum.edge,
        "e0_ev": spectrum.e0_ev,
        "half_step_ev": spectrum.half_step_ev,
        "edge_step": spectrum.edge_step,
        "parameters": dict(spectrum.parameters),
        "remarks": list(spectrum.remarks),
        **{name: getattr(spectrum, name).tolist() for name in curves},
    }


def _table(spectrum: MeasuredSpectrum) -> str:
    """The table below `#` lines that say what it is, which `read_measured` reads again."""
    text, group = (spectrum.parameters.get(name) for name in ("text_sha256", "group_key"))
    about = {
        "Element.symbol": spectrum.element, "Element.edge": spectrum.edge, f"{OWN}.e0_ev": f"{spectrum.e0_ev:.4f}",
        f"{OWN}.source": on_one_line(spectrum.source), f"{OWN}.text_sha256": text, f"{OWN}.group_key": group,
    }  # fmt: skip
    header = [f"# {name}: {value}" for name, value in about.items() if value]
    columns = (spectrum.energy_ev, spectrum.mu, spectrum.normalised, spectrum.flattened)
    rows = (f"{e:.4f},{mu:.8g},{norm:.6f},{flat:.6f}" for e, mu, norm, flat in zip(*columns, strict=True))
    return "\n".join([*header, ",".join(OWN_TABLE), *rows]) + "\n"


def _object(record: Mapping[str, Any]) -> str:
    """JSON with a line for each field, so that long lists do not hide the others."""
    fields = (f" {json.dumps(name)}: {json_text(value)}" for name, value in record.items())
    return "{\n" + ",\n".join(fields) + "\n}"
