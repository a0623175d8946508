"""`xanesflow predict --normalised`: writes predicted spectra as measured ones are written, a file for each material."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from xanesflow.cli.show_match import listening
from xanesflow.cli.terminal import print_message
from xanesflow.core.files import sha256_text
from xanesflow.core.sites import Subset
from xanesflow.matching.candidates import candidate_of
from xanesflow.matching.get_references import Wanted, compute_candidates
from xanesflow.matching.references import material_spectra, normalise_averages
from xanesflow.matching.write_normalised import write_spectrum
from xanesflow.measured.broaden import Broadening
from xanesflow.prediction.data import Predicted


def normalise_predictions(
    found: Predicted,
    output: Path,
    broadening: Broadening | None,
    *,
    cache: Path | None = None,
    workers: int | None = None,
) -> list[Path]:
    """Write each material's mean with the engine's background, normalised by it and, if asked, broadened.

    Models predict no background. The embedded engine computes it for the same structures, or it is kept from before.

    Args:
        found: the prediction.
        output: file of the prediction, and the tables are called `<its stem>_<material>_<subset>_normalised.csv`; or
            its folder of files for Athena, and they are `<subset>/<material>_normalised.dat` there.
        broadening: of the normalised spectra; None: none.
        cache: folder of kept spectra; None: the user's.
        workers: sites that are computed at a time; None: one for each core.

    Returns:
        The tables.

    Raises:
        XanesflowError: the engine cannot run.
    """
    wanted = Wanted((), cache=cache, workers=workers)
    written = []
    for name, predicted in found.subsets.items():
        element = Subset.parse(name).element
        known = [found.materials[each] for each in predicted.averages.material_id if each in found.materials]
        candidates = [candidate_of(material, element) for material in known]
        if not candidates:
            continue
        with listening() as listener:
            spectra, failed = material_spectra(candidates, *compute_candidates(candidates, wanted, listener))
        for sentence in failed:
            print_message(f"Not normalised: {sentence}", style="yellow")
        for material, spectrum in normalise_averages(predicted, spectra).items():
            beside = output.with_name(f"{output.stem}_{material}_{name}_normalised.csv")
            path = output / name / f"{material}_normalised.dat" if output.is_dir() else beside
            background = f"by {wanted.theory}, without the neighbours"
            shift_ev = predicted.shift_ev.get(material, 0.0)
            write_spectrum(
                path,
                replace(spectrum, energy_ev=spectrum.energy_ev + shift_ev, edge_ev=spectrum.edge_ev + shift_ev),
                broadening,
                element=element,
                background=background,
                about=[
                    f"{name} predicted by {predicted.model} on {predicted.features}",
                    f"material: {material}, {found.materials[material].formula}",
                    f"structure_sha256: {sha256_text(found.materials[material].structure)}",
                    *found.origin,
                ],
            )
            written.append(path)
    return written
