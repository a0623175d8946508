"""Reading FEFF runs: a good one gives its cross section, and each fault, one at a time, its own reason."""

import numpy as np
import pytest
from feff_runs import EDGE_STEP_A2, GRID_START_EV, cuprite, layered, perovskite, rocksalt, run_files, spectrum, xmu_text
from pymatgen.core import Structure
from shared_data import shared

from xanesflow.codes.feff.read_feff_inp import parse_feff_inp
from xanesflow.codes.feff.read_logs import OF_THE_MACHINE, diagnose
from xanesflow.codes.feff.read_run import read_run
from xanesflow.codes.feff.read_xmu import parse_xmu
from xanesflow.codes.registry import FEFF
from xanesflow.codes.run_description import read_files
from xanesflow.core.errors import BadRunError
from xanesflow.core.reasons import REASONS

BOHR_A = 0.529177210903
STRUCTURE, SITE = layered(), 3
GOOD = run_files(STRUCTURE, SITE)
HEADER_LINES = 7


def read(files, *, element="Cu", structure=STRUCTURE, site=SITE):
    return read_run(files, element=element, structure=structure, site_index=site)


def changed(**files):
    """The good run with other content for some files; None: the file is missing."""
    content = {**GOOD, **{name.replace("_", "."): value for name, value in files.items()}}
    return {name: value for name, value in content.items() if value is not None}


def xmu(edit):
    """xmu.dat with its lines of text edited."""
    lines = edit(GOOD["xmu.dat"].decode().splitlines())
    return changed(xmu_dat=("\n".join(lines) + "\n").encode())


def row(number, edit):
    """xmu.dat with the words of one row (counted from 1) edited."""

    def of_lines(lines):
        at = HEADER_LINES + number - 1
        return [*lines[:at], "  ".join(edit(lines[at].split())), *lines[at + 1 :]]

    return xmu(of_lines)


def column(number, value):
    """xmu.dat with one column (0: omega ... 5: chi) the same in every row."""

    def of_lines(lines):
        body = [line.split() for line in lines[HEADER_LINES:]]
        return [*lines[:HEADER_LINES], *("  ".join([*w[:number], value, *w[number + 1 :]]) for w in body)]

    return xmu(of_lines)


def replaced(file, old, new):
    """A file in which `old` is replaced; it must be there."""
    text = GOOD[file].decode()
    assert old in text
    return {**GOOD, file: text.replace(old, new).encode()}


def out(*lines):
    """feff.out without the lines that begin so."""
    kept = [line for line in GOOD["feff.out"].decode().splitlines() if not line.startswith(lines)]
    return changed(feff_out="\n".join(kept).encode())


def cut(file, at):
    """A file cut before the byte where `at` stands, or at that number of bytes."""
    content = GOOD[file]
    return {**GOOD, file: content[: content.index(at.encode()) if isinstance(at, str) else at]}


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256))

FAULTS = {
    "xmu.dat missing": (changed(xmu_dat=None), "no_output", "missing or empty"),
    "xmu.dat empty": (changed(xmu_dat=b""), "no_output", "missing or empty"),
    "xmu.dat blank": (changed(xmu_dat=b" \n\n"), "no_output", "missing or empty"),
    "xmu.dat binary": (changed(xmu_dat=PNG), "unreadable", "binary"),
    "xmu.dat not text": (changed(xmu_dat=bytes(range(128, 256)) * 9), "unreadable", "not a text file"),
    "xmu.dat another text": (changed(xmu_dat=b"Segmentation fault\n"), "truncated", "within a line"),
    "xmu.dat cut in its header": (cut("xmu.dat", "xsedge"), "truncated", "before its first row"),
    "xmu.dat cut after its header": (cut("xmu.dat", "omega"), "truncated", "before its first row"),
    "xmu.dat cut within a number": (cut("xmu.dat", -20), "truncated", "after 175 whole rows"),
    "xmu.dat cut before a line's end": (cut("xmu.dat", -1), "truncated", "within a line"),
    "xmu.dat cut within a row": (cut("xmu.dat", -40), "truncated", "within a line"),
    "edge step missing": (xmu(lambda lines: [x for x in lines if "xsedge" not in x]), "unreadable", "edge step"),
    "edge step no number": (replaced("xmu.dat", "2.4413E-04", "---"), "unreadable", "'---'"),
    "edge step NaN": (replaced("xmu.dat", "2.4413E-04", "NaN"), "not_a_number", "NaN"),
    "edge step overflow": (replaced("xmu.dat", "2.4413E-04", "**********"), "not_a_number", "***"),
    "a word among the numbers": (row(9, lambda w: [*w[:3], "oops", *w[4:]]), "unreadable", "'oops'"),
    "a row of five numbers": (row(9, lambda w: w[:5]), "unreadable", "row 9 of xmu.dat has 5 numbers, not 6"),
    "a row of seven numbers": (row(9, lambda w: [*w, "1"]), "unreadable", "row 9 of xmu.dat has 7 numbers, not 6"),
    "two rows in one": (xmu(lambda lines: [*lines[:-2], lines[-2] + lines[-1]]), "unreadable", "12 numbers"),
    "energies not in order": (xmu(lambda a: [*a[:20], a[21], a[20], *a[22:]]), "unreadable", "increase"),
    "an energy twice": (xmu(lambda a: [*a[:20], a[20], *a[20:]]), "unreadable", "increase"),
    "NaN in mu": (row(101, lambda w: [*w[:3], "NaN", *w[4:]]), "not_a_number", "row 101"),
    "NaN in chi": (row(101, lambda w: [*w[:5], "nan"]), "not_a_number", "row 101"),
    "NaN everywhere": (column(3, "NaN"), "not_a_number", "row 1 "),
    "infinity in mu": (row(7, lambda w: [*w[:3], "-Infinity", *w[4:]]), "not_a_number", "row 7"),
    "an overflown field": (row(7, lambda w: [*w[:3], "*************", *w[4:]]), "not_a_number", "***"),
    "mu zero": (column(3, "0.00000E+00"), "all_zero", "every row"),
    "edge step zero": (replaced("xmu.dat", "2.4413E-04", "0.0000E+00"), "all_zero", "every row"),
    "chi zero": (column(5, "0.00000E+00"), "no_fine_structure", "full multiple scattering is missing"),
    "feff.out missing": (changed(feff_out=None), "not_converged", "feff.out is missing or empty"),
    "feff.out empty": (changed(feff_out=b"\n"), "not_converged", "feff.out is missing or empty"),
    "feff.out binary": (changed(feff_out=PNG), "unreadable", "feff.out is binary"),
    "feff.out cut in the first module": (cut("feff.out", "New Fermi"), "truncated", "before the module 'potentials'"),
    "feff.out cut before the last module": (cut("feff.out", "Calculating XAS"), "truncated", "the module 'spectrum'"),
    "out of iterations": (replaced("feff.out", "Convergence reached in    2 iterations.",
                                   ":WARNING Convergence not reached; ran out of iterations."), "not_converged", "ran"),
    "no word of convergence": (out("Convergence"), "not_converged", "no line that says"),
    "potentials left no trace": (out("Done with module: potentials."), "module_failed", "'potentials' did not finish"),
    "cross section left no trace": (out("Done with module: cross"), "module_failed", "'cross section and phases'"),
    "scattering left no trace": (out("Done with module: FMS"), "module_failed", "'full multiple scattering'"),
    "two modules left no trace": (out("Done with module: FMS", "Done with module: MKGTR"), "module_failed", "multiple"),
    "input not read": ({**GOOD, "log.dat": b""}, "module_failed", "log.dat is empty"),
    "trace left no trace": (out("Done with module: MKGTR"), "module_failed", "Green's function"),
    "a card not recognised": (replaced("feff.out", "Launching", " Keyword unrecognized."), "module_failed", "card"),
    "cluster cut": (replaced("feff.out", "a cluster of", "a cluster of  9 atoms, not"), "cluster_cut", "9 "),
    "absorber of feff.inp": (replaced("feff.inp", "  0  29  Cu", "  0  28  Ni"), "wrong_absorber", "feff.inp is Ni"),
    "absorber of xmu.dat": (replaced("xmu.dat", "Abs   Z=29", "Abs   Z=28"), "wrong_absorber", "xmu.dat is Ni"),
    "absorber unheard of": (replaced("xmu.dat", "Abs   Z=29", "Abs   Z=0 "), "wrong_absorber", "Z=0"),
    "edge of feff.inp": (replaced("feff.inp", "EDGE K", "EDGE L3"), "wrong_absorber", "the edge in feff.inp is L3"),
    "edge as a hole": (replaced("feff.inp", "EDGE K", "HOLE 4 1.0"), "wrong_absorber", "the edge in feff.inp is 4"),
    "edge of xmu.dat": (replaced("xmu.dat", " K  shell", " L3 shell"), "wrong_absorber", "the edge in xmu.dat is L3"),
    "absorber not named": ({**replaced("xmu.dat", "Abs   Z=29", "Abs"), "feff.inp": b""}, "wrong_absorber", "neither"),
    "an atom's line broken": (replaced("feff.inp", "  0  Cu  0.0000", ""), "unreadable", "feff.inp has a line"),
    "cluster, other site": (changed(feff_inp=run_files(STRUCTURE, 2)["feff.inp"]), "wrong_absorber", "around site 3"),
    "cluster, other cell": (changed(feff_inp=run_files(layered(a=3.95), 3)["feff.inp"]), "wrong_absorber", "around"),
    "cluster, other structure": (changed(feff_inp=run_files(cuprite(), 0)["feff.inp"]), "wrong_absorber", "around"),
    "feff.inp binary": (changed(feff_inp=PNG), "unreadable", "feff.inp is binary"),
}  # fmt: skip


@pytest.mark.parametrize(("files", "reason", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_found_by_its_reason(files, reason, said):
    with pytest.raises(BadRunError) as caught:
        read(files)
    assert caught.value.reason == reason
    assert said in caught.value.detail
    assert reason in REASONS and "\n" not in caught.value.detail and len(caught.value.detail) < 200


def test_a_good_run_gives_mu_times_the_edge_step_in_bohr2():
    rows = spectrum(STRUCTURE, SITE, "Cu")
    result = read(GOOD)
    assert np.abs(result.energy_ev - rows[:, 0]).max() < 6e-4  # three decimals in the file
    assert np.allclose(result.cross_section, rows[:, 3] * EDGE_STEP_A2 / BOHR_A**2, rtol=1e-5)
    assert np.allclose(result.chi, rows[:, 5], atol=1e-5)
    assert (result.atomic_number, result.shell) == (29, "K")


def test_one_number_by_hand():
    """mu 0.5 in units of 2.8002852E-4 Å², which is (0.52917721 Å)² / 1000: 0.0005 bohr²."""
    text = xmu_text(np.array([[9000.0, 0, 0, 0.5, 0.4, 0.1]]), "Cu").replace("2.4413E-04", "2.80028520539E-4")
    assert np.isclose(parse_xmu(text.encode()).cross_section[0], 0.0005, rtol=1e-9)


@pytest.mark.parametrize(
    "files",
    [
        changed(feff_inp=None),
        changed(feff_inp=b""),
        replaced("feff.inp", "EDGE K", "HOLE 1 1.0  * K edge"),
        replaced("feff.inp", "EDGE K", "edge k"),
        replaced("feff.inp", "TITLE ", "TITLE Übergang: "),
        {**GOOD, "xmu.dat": "# Größe in Å\n".encode("latin-1") + GOOD["xmu.dat"]},
        {name: content.replace(b"\n", b"\r\n") for name, content in GOOD.items()},
        replaced("xmu.dat", "# # Abs ", "# # "),
        replaced("feff.out", "Launching", "Note: exceptions are signalling: IEEE_UNDERFLOW_FLAG\nLaunching"),
    ],
    ids=["no feff.inp", "empty feff.inp", "HOLE 1", "small letters", "UTF-8 title", "Latin-1 title", "CR LF",
         "no absorber in xmu.dat", "harmless note"],
)  # fmt: skip
def test_what_is_no_fault_changes_nothing(files):
    assert np.array_equal(read(files).cross_section, read(GOOD).cross_section)


def test_a_small_number_that_fortran_writes_without_its_e_is_read():
    files = row(9, lambda words: [*words[:3], "1.23400-101", *words[4:]])
    assert np.isclose(read(files).cross_section[8], 1.234e-101 * EDGE_STEP_A2 / BOHR_A**2, rtol=1e-5, atol=0)
    files = row(9, lambda words: [*words[:5], "-5.00000-102"])
    assert np.isclose(read(files).chi[8], -5e-102, rtol=1e-12, atol=0)


def test_the_cluster_is_compared_to_a_hundredth_of_an_angstrom():
    for shift, good in ((0.004, True), (0.04, False)):
        moved = layered()
        moved.translate_sites([9], [shift / moved.lattice.a, 0, 0])
        if good:
            read(changed(feff_inp=run_files(moved, SITE)["feff.inp"]))
        else:
            with pytest.raises(BadRunError, match="not the one around site 3"):
                read(changed(feff_inp=run_files(moved, SITE)["feff.inp"]))


def test_neighbours_are_compared_by_element_and_after_rmultiplier():
    oxide = rocksalt()
    files = run_files(oxide, 0)
    other = {**files, "feff.inp": files["feff.inp"].replace(b"8  O", b"16  S")}
    with pytest.raises(BadRunError, match="not the one around site 0"):
        read(other, structure=oxide, site=0)
    larger = {**files, "feff.inp": files["feff.inp"].replace(b"EDGE K", b"EDGE K\nRMULTIPLIER 1.1")}
    with pytest.raises(BadRunError, match="not the one around site 0"):
        read(larger, structure=oxide, site=0)
    assert read(larger, structure=rocksalt(a=1.1 * 4.25), site=0).compared
    assert not read(changed(feff_inp=None)).compared
    none = {**files, "feff.inp": files["feff.inp"].replace(b"EDGE K", b"EDGE K\nRMULTIPLIER x")}
    with pytest.raises(BadRunError, match=r"RMULTIPLIER of feff\.inp is no positive number: x"):
        read(none, structure=oxide, site=0)


def test_equivalent_sites_have_the_same_cluster():
    read(GOOD, site=4)


def test_the_cluster_is_that_of_an_atom_not_of_a_cell():
    """The same crystal in a doubled cell, its atoms in another order."""
    doubled = perovskite() * (2, 1, 1)
    doubled = Structure.from_sites(sorted(doubled, key=lambda site: site.specie.symbol))
    site = next(i for i, s in enumerate(doubled) if s.specie.symbol == "Cu")
    read(run_files(perovskite(), 1), structure=doubled, site=site)


@pytest.mark.parametrize("element", ["Ti", "Ni", "Cu"])
def test_runs_of_every_element_are_read(element):
    structure = rocksalt(element)
    result = read(run_files(structure, 0, element), element=element, structure=structure, site=0)
    assert result.energy_ev[0] > GRID_START_EV[element]
    with pytest.raises(BadRunError) as caught:
        read(run_files(structure, 0, element), element="Fe", structure=structure, site=0)
    assert caught.value.reason == "wrong_absorber"


def test_feff_inp_gives_absorber_edge_and_distances():
    number, edge, distances, *_ = parse_feff_inp(GOOD["feff.inp"].decode())
    expected = sorted(n.nn_distance for n in STRUCTURE.get_neighbors(STRUCTURE[SITE], 6.0))
    assert (number, edge, len(distances)) == (29, "K", len(expected))
    assert np.allclose(distances, expected, atol=1e-5)


# Real failures of FEFF 10 (their README tells what was done), the reason, and what tells more than it. In
# `fms_cluster_cut` the log alone tells.
REAL_FAULTS = {
    "scf_not_converged": ("not_converged", "ran out of iterations"),
    "scf_ca_too_big": ("module_failed", "refused the convergence factor ca1"),
    "scf_bad_counts": ("not_converged", "wrong number of electrons"),
    "killed_in_pot": ("no_output", "ends before the module 'potentials'"),
    "killed_in_fms": ("no_output", "ends before the module 'full multiple scattering'"),
    "fms_not_finished_script_went_on": (
        "module_failed",
        "'full multiple scattering' did not finish, later ones went on",
    ),
    "out_of_memory": ("module_failed", "Error allocating 5971968 bytes: Cannot allocate memory"),
    "atoms_overlap": ("atoms_too_close", "muffin tins of potential 2 overlap too much"),
    "bad_card": ("module_failed", "EXCAHNGE 0 0.0 0.0 2"),
    "short_card": ("module_failed", "rdinp.f90, line 338: End of file"),
    "bad_potential": ("module_failed", "no interstitial density"),
    "full_disk": ("truncated", "could not read apot.bin"),
    "full_disk_truncated_xmu": ("truncated", "after 93 whole rows"),
    "fms_cluster_cut": ("cluster_cut", "took 15 atoms, but 27 lie within its 4.5 Å"),
    "rerun_pot_killed_stale": ("module_failed", "'potentials' did not finish, later ones went on"),
    "rerun_bad_card_stale": ("module_failed", "EXCAHNGE 0 0.0 0.0 2"),
    "xmu_truncated": ("truncated", "after 78 whole rows"),
    "xmu_nan": ("not_a_number", "row 101"),
}


def real_run(name):
    return read_files(shared(f"feff10-faults/{name}"), FEFF.files)


@pytest.mark.parametrize("logs", [True, False], ids=["with FEFF's own logs", "feff.out alone"])
@pytest.mark.parametrize(("name", "expected"), REAL_FAULTS.items())
def test_a_real_failure_of_feff_10_is_refused_for_what_it_is(name, expected, logs):
    files = {file: content for file, content in real_run(name).items() if logs or file in GOOD}
    with pytest.raises(BadRunError) as caught:
        read_run(files)
    assert (caught.value.reason, expected[1] in caught.value.detail) == (expected[0], True), caught.value.detail
    assert expected[0] in REASONS


def test_a_real_good_run_of_feff_10_is_accepted():
    structure = cuprite(a=4.27)
    result = read_run(real_run("ok"), element="Cu", structure=structure, site_index=0)
    assert len(result.energy_ev) == 173
    # first row of the file: 8983.6569626490, mu 5.4280575618E-02, edge step 2.4418E-04
    assert result.energy_ev[0] == 8983.6569626490
    assert np.isclose(result.cross_section[0], 5.4280575618e-2 * 2.4418e-4 / BOHR_A**2, rtol=1e-12)


def test_feffs_own_logs_stand_in_for_what_its_modules_printed():
    files = real_run("ok")
    read_run({name: content for name, content in files.items() if name != "feff.out"})
    del files["feff.out"], files["log3.dat"]
    with pytest.raises(BadRunError, match="'full multiple scattering' did not finish"):
        read_run(files)


def test_of_a_log_that_was_appended_to_the_last_run_counts():
    good, bad = real_run("ok"), real_run("scf_not_converged")
    both = {**good, "feff.out": bad["feff.out"] + good["feff.out"]}
    read_run(both)
    with pytest.raises(BadRunError) as caught:
        read_run({**bad, "feff.out": good["feff.out"] + bad["feff.out"]})
    assert caught.value.reason == "not_converged"


def test_a_log_of_feffs_own_that_is_not_of_the_run_in_feff_out_tells_on_it():
    files = {**real_run("ok"), "log1.dat": real_run("rerun_pot_killed_stale")["log1.dat"]}
    with pytest.raises(BadRunError, match=r"log1\.dat ends before its time, though by feff\.out") as caught:
        read_run(files)
    assert caught.value.reason == "truncated"


def test_a_file_that_ends_at_the_end_of_a_line_is_found_cut_too():
    files = real_run("full_disk_truncated_xmu")
    whole = files["xmu.dat"][: files["xmu.dat"].rindex(b"\n") + 1]
    for logs in (True, False):
        with pytest.raises(BadRunError) as caught:
            read_run({name: whole if name == "xmu.dat" else c for name, c in files.items() if logs or name in GOOD})
        assert caught.value.reason == "truncated"


def test_every_real_failure_is_in_the_list():
    folders = {path.name for path in shared("feff10-faults").iterdir() if path.is_dir()}
    assert folders == {"ok", *REAL_FAULTS}


def test_a_stop_of_the_first_module_alone_is_enough_to_refuse_what_the_others_made_of_old_files():
    said = b"STOP\n Too many atoms, maximum is     4000\nRDINP-3\n"
    files = {**GOOD, "feff.out": said + GOOD["feff.out"]}
    with pytest.raises(BadRunError, match="Too many atoms, maximum is 4000") as caught:
        read(files)
    assert caught.value.reason == "module_failed"
    with pytest.raises(BadRunError, match="a module stopped: Bad things XSPH-4"):
        read({**GOOD, "feff.out": b"STOP\n Bad things\nXSPH-4\n" + GOOD["feff.out"]})


OF_THE_SYSTEM = [
    "Out of memory: gone",
    "slurmstepd: error: Detected 1 oom-kill event(s)",
    "forrtl: severe (41): insufficient virtual memory",
    "run.sh: line 7: 99 Killed fms",
    "ImportError: _feff10.abi3.so: failed to map segment from shared object",
    "fms: error while loading shared libraries: libgfortran.so.5: cannot open shared object file",
    "Fatal Python error: _PyRuntimeState_Init: memory allocation failed",
]


@pytest.mark.parametrize("said", OF_THE_SYSTEM)
def test_words_of_the_system_on_memory_and_kills_are_found(said):
    fault = diagnose(GOOD["feff.out"].decode() + said + "\n")
    assert fault is not None and fault.kind in OF_THE_MACHINE and said in fault.detail
    assert diagnose(GOOD["feff.out"].decode()) is None


def test_a_fermi_level_that_is_no_number_did_not_converge_whatever_feff_says():
    with pytest.raises(BadRunError, match="Fermi level") as caught:
        read(replaced("feff.out", "mu=  -7.001 eV", "mu=     NaN eV"))
    assert caught.value.reason == "not_converged"


def test_bad_counts_that_were_mended_are_no_fault():
    """As in 250 of the 4,831 published Cu runs."""
    read(replaced("feff.out", "SCF ITERATION NUMBER  2", " Found bad counts.\n  Will repeat this iteration."))


def test_without_an_element_the_files_must_agree_with_each_other_alone():
    nickel = run_files(rocksalt("Ni"), 0, "Ni")
    assert read_run(nickel).atomic_number == 28
    with pytest.raises(BadRunError, match=r"the absorber in xmu\.dat is Cu, not Ni"):
        read_run({**nickel, "xmu.dat": GOOD["xmu.dat"]})
    edge = {name: text.replace(b"EDGE K", b"HOLE 4 1.0").replace(b" K  shell", b" L3 shell")
            for name, text in GOOD.items()}  # fmt: skip
    read_run(edge)
    with pytest.raises(BadRunError, match=r"the edge in xmu\.dat is K, not L3"):
        read_run({**edge, "xmu.dat": GOOD["xmu.dat"]})
