"""Which module of FEFF failed first, and its own words; atoms that FEFF warns of."""

import pytest
from test_feff_read_run import GOOD, read, replaced

from xanesflow.codes.feff.read_logs import diagnose
from xanesflow.codes.feff.read_run import read_run
from xanesflow.core.errors import BadRunError


def close_atoms(distance, *atomic_numbers):
    """The warning as FEFF 10 prints it."""
    at = [
        f"    {n} -1.06750E+00 -1.06750E+00 -1.06750E+00 Z=  {z:2d}\n"
        for n, z in zip((2, 66), atomic_numbers, strict=True)
    ]
    head = " :WARNING  TWO ATOMS VERY CLOSE TOGETHER. CHECK INPUT.\n"
    return f"{head} atoms        2      66 distance   {distance:.5E} Angstrom\n{''.join(at)}"


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CR LF"])
def test_a_run_in_which_feff_warns_of_atoms_too_close_is_refused_although_it_went_well(ends):
    def with_warning(*of):
        return replaced("feff.out", "Calculating atomic", (close_atoms(*of) + "Calculating atomic").replace("\n", ends))

    for of in ((0.3, 8, 8), (0.92, 8, 29), (0.4, 1, 8)):
        with pytest.raises(
            BadRunError, match=rf"two atoms of the cluster, 2 and 66, are {of[0]:.2f} Å apart"
        ) as caught:
            read(with_warning(*of))
        assert caught.value.reason == "atoms_too_close"
    read(with_warning(0.88, 1, 8))  # a bond of hydrogen, as X-rays find it
    with pytest.raises(BadRunError, match="very close together"):
        read(replaced("feff.out", "Calculating atomic", "TWO ATOMS VERY CLOSE TOGETHER, in other words"))


@pytest.mark.parametrize(
    "said", [" Overlapping problem in potentials/movrlp.", " tell authors to INCREASE NOVP  novp= 51"]
)
def test_muffin_tins_that_overlap_with_too_many_others_are_known(said):
    fault = diagnose(GOOD["feff.out"].decode() + said + "\nMOVRLP-2\nSTOP\n")
    assert (fault.kind, fault.reason) == (
        "overlaps",
        "module_failed",
    ) and "muffin tins overlap too much" in fault.detail


# A script went on after pot had failed: its own words (none; the loader's; a stop of its own), and those of screen and
# xsph, which miss pot.bin.
AFTER_ATOMIC = GOOD["feff.out"].decode().partition("Done with module: atomic potentials.\n")
MISS_ITS_FILES = """At line 108 of file wrpot.f90 (unit = 3)
Fortran runtime error: Cannot open file 'pot.bin': No such file or directory
STOP
Calculating cross-section and phases ...
 Error opening file, pot.bin in module rdpot
 Fatal error
CHOPEN
"""
LOADER = "pot: error while loading shared libraries: libgfortran.so.5: failed to map segment from shared object"
OF_POT = {
    "nothing": ("", "silent", "the module 'potentials' did not finish"),
    "loader": (LOADER + "\n", "not_loaded", LOADER),
    "stop": ("STOP\n the spheres do not touch\nSPHERE-4\n", "stopped", "stopped: the spheres do not touch SPHERE-4"),
}


@pytest.mark.parametrize(("own", "kind", "said"), OF_POT.values(), ids=OF_POT.keys())
def test_of_a_script_that_went_on_the_first_module_that_failed_has_the_word(own, kind, said):
    log = "".join(AFTER_ATOMIC[:2]) + own + MISS_ITS_FILES
    fault = diagnose(log)
    assert fault is not None and (fault.kind, fault.reason) == (kind, "module_failed")
    assert said in fault.detail and "pot.bin" not in fault.detail and "CHOPEN" not in fault.detail
    with pytest.raises(BadRunError, match=r"there is no xmu\.dat") as caught:
        read_run({"feff.inp": GOOD["feff.inp"], "feff.out": log.encode()})
    assert said in caught.value.detail and caught.value.reason == "module_failed"


def test_where_the_run_says_which_module_failed_it_is_named_with_its_own_last_lines():
    begin = "".join(AFTER_ATOMIC[:2]) + "xanesflow: atomic: 0.31 s\n"
    failed = "some words\n#3 0x1 in ???\n more words\nNote: The following floating-point exceptions are signalling: X\n"
    fault = diagnose(begin + failed + "xanesflow: pot failed with exit code 2\n")
    assert (fault.kind, fault.detail) == ("gave_up", "the module pot failed with exit code 2: some words | more words")
    fault = diagnose(begin + failed + "xanesflow: pot failed with exit code 139\n")
    assert (fault.kind, fault.detail[:40]) == ("crashed", "the module pot was ended by signal 11: s")
    fault = diagnose(begin + "Error allocating 4 bytes\nxanesflow: pot failed with exit code 1\n")
    assert fault.kind == "no_memory" and fault.detail.startswith("the module pot failed with exit code 1: FEFF ran out")
