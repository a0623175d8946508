"""Each fault of a dataset file is found by the check that is meant for it, and told in a sentence."""

import h5py
import numpy as np
import pytest
from dataset_files import copy_of_dataset, seal_again, write_dataset
from feff_runs import PARTNERS, perovskite
from pymatgen.core import Element
from shared_data import shared

from xanesflow.core.errors import XanesflowError
from xanesflow.dataset.check.findings import CHECKS
from xanesflow.dataset.check.validate import HEIGHT_FACTOR, validate

CU = "Cu_FEFF"


def rewrite(file, name, values, **more):
    """Replace an array, with its attributes."""
    attributes = dict(file[name].attrs)
    del file[name]
    file.create_dataset(name, data=values, **more).attrs.update(attributes)


def swap(file, name, first, second):
    values = file[name][:]
    values[[first, second]] = values[[second, first]]
    file[name][:] = values


def put(name, index, value):
    def fault(file):
        file[name][index] = value

    return fault


def scaled(factor):
    def fault(file):
        file[f"{CU}/spectra"][:] *= factor

    return fault


def attribute(name, key, value):
    def fault(file):
        file[name].attrs[key] = value

    return fault


def without(name, key=None):
    def fault(file):
        if key is None:
            del file[name]
        else:
            del file[name].attrs[key]

    return fault


def structure(old, new, name="structures/mp-3"):
    def fault(file):
        text = file[name].asstr()[()]
        assert old in text
        file[name][()] = text.replace(old, new)

    return fault


def no_validation_part(file):
    split = file[f"{CU}/split"]
    split[:] = ["test" if part == "val" else part for part in split.asstr()[:]]


FAULTS = {
    "array missing": (without(f"{CU}/multiplicity"), "layout", "Cu_FEFF/multiplicity: it is missing"),
    "no features": (without(f"{CU}/features"), "layout", "Cu_FEFF: it has no features"),
    "no structures": (without("structures"), "layout", "structures: the group is missing"),
    "array is a group": (lambda f: (f.__delitem__(f"{CU}/split"), f.create_group(f"{CU}/split")),
                         "layout", "Cu_FEFF/split: it is missing"),
    "spectra in single precision": (lambda f: rewrite(f, f"{CU}/spectra", f[f"{CU}/spectra"][:].astype("f4")),
                                    "types", "Cu_FEFF/spectra: it holds float32, but must hold float64"),
    "sites as text": (lambda f: rewrite(f, f"{CU}/site_index", ["1"] * 13),
                      "types", "Cu_FEFF/site_index: it holds text, but must hold int64"),
    "features of fewer sites": (lambda f: rewrite(f, f"{CU}/features/m3gnet", f[f"{CU}/features/m3gnet"][:12]),
                                "shapes", "Cu_FEFF/features/m3gnet: it has 12 rows, but there are 13 spectra"),
    "a grid of other length": (lambda f: rewrite(f, f"{CU}/energy", f[f"{CU}/energy"][:140]),
                               "shapes", "Cu_FEFF/spectra: each has 141 numbers, but the grid has 140 energies"),
    "spectra with one axis": (lambda f: rewrite(f, f"{CU}/spectra", f[f"{CU}/spectra"][0]),
                              "shapes", "Cu_FEFF/spectra: it has 1 axes, but must have 2"),
    "other unit": (attribute(f"{CU}/spectra", "units", "Mb"), "units",
                   "Cu_FEFF/spectra: its attribute `units` is 'Mb', but must be 'bohr^2'"),
    "no unit": (without("Ni_FEFF/energy", "units"), "units", "Ni_FEFF/energy: it has no attribute `units`"),
    "energies swapped": (lambda f: swap(f, f"{CU}/energy", 30, 31), "energies",
                         "number 31 (8990.673 eV) is not above the one before it (8990.923 eV)"),
    "uneven grid": (put(f"{CU}/energy", 30, 8990.7), "energies", "the steps are not even"),
    "grid of another element": (lambda f: f[f"{CU}/energy"].__setitem__(slice(None), f["Ni_FEFF/energy"][:]),
                                "energies", "the grid begins at 8332.2 eV, but the K edge of Cu is at 8979.0 eV"),
    "energy not finite": (put(f"{CU}/energy", 5, np.inf), "energies", "number 5 is not finite"),
    "spectrum not finite": (put(f"{CU}/spectra", (4, 7), np.nan), "numbers",
                            "Cu_FEFF/spectra: 1 row holds NaN or infinite values: mp-4_001"),
    "feature not finite": (put("Ni_FEFF/features/chgnet", (12, 0), np.nan), "numbers",
                           "Ni_FEFF/features/chgnet: 1 row holds NaN or infinite values: mp-12_000"),
    "negative": (put(f"{CU}/spectra", (2, 0), -1e-9), "range", "1 spectrum is negative somewhere: mp-2_001"),
    "all zero": (put(f"{CU}/spectra", 2, 0.0), "range", "1 spectrum is zero everywhere: mp-2_001"),
    "in Mb": (scaled(28.0), "range", "about 0.0012 bohr² high; are they in another unit, or scaled?"),
    "in Å²": (scaled(0.28), "range", "are they in another unit, or scaled?"),
    "one far too high": (put(f"{CU}/spectra", (3, 50), 0.02), "range", "1 spectrum is over ten times as high as a K"),
    "a site twice": (put(f"{CU}/material_id", 1, "mp-0"),
                    "sites", "Cu_FEFF: sites are listed more than once: mp-0_001"),
    "no material": (put(f"{CU}/material_id", 1, ""), "sites", "row 1 has no material id"),
    "negative site": (put(f"{CU}/site_index", 1, -1), "sites", "row 1 has the site index -1"),
    "multiplicity 0": (put(f"{CU}/multiplicity", 1, 0), "sites", "mp-1_001 has multiplicity 0"),
    "unknown part": (put(f"{CU}/split", 1, "dev"),
                     "split", "'dev' is no part of a split; the parts are train, val, test"),
    "material in two parts": (lambda f: (put(f"{CU}/material_id", 10, "mp-3")(f), put(f"{CU}/site_index", 10, 2)(f)),
                              "split", "materials are in more than one part: mp-3 (train, val)"),
    "nothing validates": (no_validation_part, "split", "the part val has 0 sites; a model needs at least 1"),
    "structure missing": (without("structures/mp-3"), "structures", "Cu_FEFF: materials have no structure: mp-3"),
    "structure cut": (put("structures/mp-3", (), '{"lattice":'), "structures", "mp-3: it is no structure of pymatgen"),
    "partly occupied": (structure('"occu": 1}', '"occu": 0.5}'), "structures", "mp-3: it is no structure of pymatgen "
                        "(it has partially occupied sites)"),
    "site beyond structure": (put(f"{CU}/site_index", 3, 17), "structures",
                              "sites lie outside their structure: mp-3_017 (of 5 atoms)"),
    "site of another element": (put(f"{CU}/site_index", 3, 2), "structures",
                                "sites are not Cu in their structure: mp-3_002 is O"),
    "multiplicity too large": (put(f"{CU}/multiplicity", 12, 5), "structures",
                               "add up to more than its atoms of Cu: mp-12"),
    "unknown reason": (put(f"{CU}/rejected/reason", 0, "ugly"), "rejected", "'ugly' is no known reason"),
    "kept and left out": (lambda f: (put(f"{CU}/rejected/material_id", 0, "mp-2")(f),
                                     put(f"{CU}/rejected/site_index", 0, 1)(f)),
                          "rejected", "sites are both in the dataset and left out: mp-2_001"),
    "wrong counts": (attribute(CU, "counts", '{"kept": 14, "no_output": 1}'), "rejected",
                     "its attribute `counts` says 14 kept, but there are 13"),
    "rejected column short": (lambda f: rewrite(f, f"{CU}/rejected/detail", [], dtype=h5py.string_dtype()),
                              "shapes", "Cu_FEFF/rejected: its columns have different lengths"),
    "no licence": (without("/", "licence"), "provenance", "the attribute `licence` is missing or empty"),
    "broken configuration": (attribute("/", "config", "{"), "provenance", "the attribute `config` cannot be read"),
    "weights unknown": (without(f"{CU}/features/m3gnet", "weights_hash"), "provenance",
                        "Cu_FEFF/features/m3gnet: it has no attribute `weights_hash`"),
}  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return copy_of_dataset(tmp_path)


def test_a_good_file_has_no_fault_and_every_check_was_made(path):
    shown = []
    found = validate(path, symmetry=True, progress=shown.append)
    assert found.valid and list(found.looked_at) == list(CHECKS)
    assert shown[0] == "all arrays and structures" and {"numbers of Cu_FEFF", "hashes"} <= set(shown)
    assert len(set(shown)) == len(shown)
    assert found.looked_at["range"] == "26 spectra"
    assert [str(each) for each in found.findings if each.check != "split"] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_its_check(path, fault):
    """Even if whoever made it wrote fitting hashes."""
    make, check, sentence = FAULTS[fault]
    with h5py.File(path, "r+") as file:
        make(file)
        seal_again(file)
    found = validate(path)
    said = [str(each) for each in found.faults if each.check == check]
    assert not found.valid and any(sentence in each for each in said), [str(each) for each in found.findings]
    assert not found.of("hashes")


def test_a_site_is_kept_although_its_second_run_is_a_duplicate(path):
    with h5py.File(path, "r+") as file:
        for name, value in {"material_id": "mp-2", "site_index": 1, "reason": "duplicate"}.items():
            put(f"{CU}/rejected/{name}", 0, value)(file)
        attribute(CU, "counts", '{"kept": 13, "duplicate": 1}')(file)
        seal_again(file)
    assert [str(each) for each in validate(path).faults] == []


@pytest.mark.parametrize(
    ("place", "index", "value"),
    [
        ("Cu_FEFF/spectra", (4, 7), 1.1e-3),
        ("Cu_FEFF/features/m3gnet", (4, 2), 0.5),
        ("Cu_FEFF/multiplicity", 12, 2),
        ("Ni_FEFF/rejected/detail", 0, "another"),
        ("structures", "mp-3", None),
    ],
)
def test_silent_corruption_is_found_by_the_hashes(path, place, index, value):
    with h5py.File(path, "r+") as file:
        if value is None:
            structure("0.5", "0.6", f"{place}/{index}")(file)
        else:
            file[place][index] = value
    found = validate(path)
    assert [str(each) for each in found.faults] == [
        f"{place}: its values are not those that were written: its SHA-256 differs",
        "the content is not what was written: `content_sha256` differs",
    ]


def test_a_flipped_byte_anywhere_in_the_spectra_is_found(path):
    with h5py.File(path) as file:
        value = file["Cu_FEFF/spectra"][5, 100].tobytes()
    content = bytearray(path.read_bytes())
    at = content.index(value)
    content[at] ^= 1  # the last bit of the mantissa
    path.write_bytes(content)
    assert {each.check for each in validate(path).faults} == {"hashes"}


def test_a_whole_subset_taken_out_is_found(path):
    with h5py.File(path, "r+") as file:
        del file["Ni_FEFF"]
    found = validate(path)
    assert "`content_sha256` differs" in str(found.faults[0])
    assert any("no site uses mp-0@Ni_FEFF" in str(each) for each in found.of("structures"))


def test_wrong_multiplicities_and_equivalent_sites_need_the_symmetry(path):
    with h5py.File(path, "r+") as file:
        file["Cu_FEFF/multiplicity"][12] = 2
        seal_again(file)
    assert validate(path).valid
    (fault,) = validate(path, symmetry=True).faults
    assert str(fault) == "Cu_FEFF/multiplicity: wrong multiplicities: mp-12_000 has 2, but 4 atoms are equivalent"


def test_almost_equal_materials_of_two_parts_are_reported_and_no_fault(tmp_path):
    """mp-9 (val) is mp-0 (train) a little larger; mp-10 (val) is larger by half, and so another structure."""
    structures = {f"mp-{k}": perovskite("Cu", partner, 3.8 + 0.05 * k) for k, partner in enumerate(PARTNERS)}
    structures["mp-9"] = perovskite("Cu", PARTNERS[0], 3.81)
    structures["mp-10"] = perovskite("Cu", PARTNERS[0], 5.9)
    structures["mp-12"] = perovskite("Cu", "Cs")
    made = write_dataset(tmp_path, subsets=[CU], structures=structures)
    with h5py.File(made, "r+") as file:
        file[f"{CU}/features/m3gnet"][9:11] = 1.01 * file[f"{CU}/features/m3gnet"][0]
        seal_again(file)
    found = validate(made)
    assert found.valid
    assert [str(each) for each in found.of("near duplicates")] == [
        "Cu_FEFF: 1 of 2 materials in val (1 site) are almost equal to one in train: mp-9 to mp-0"
    ]


def test_a_file_without_hashes_from_before_is_valid_and_says_so(path):
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = "1.0"
        del file.attrs["content_sha256"], file["Cu_FEFF/corrections"]
    found = validate(path)
    assert found.valid and "no hashes are stored" in str(found.of("hashes")[0])


def test_a_subset_from_a_file_of_features_may_lack_structures(path):
    with h5py.File(path, "r+") as file:
        del file["structures"]["mp-3"]
        file[f"{CU}/spectra"].attrs["origin"] = "taken from a file"
        seal_again(file)
    found = validate(path, symmetry=True)
    assert found.valid and "Cu_FEFF: materials have no structure: mp-3" in map(str, found.of("structures"))


PUBLISHED = ["Ti_FEFF", "V_FEFF", "Cr_FEFF", "Co_FEFF", "Ni_FEFF", "Cu_FEFF", "Ti_VASP", "Cu_VASP"]


@pytest.mark.parametrize("subset", PUBLISHED)
def test_the_published_spectra_are_as_high_as_a_k_edge(subset):
    number = Element(subset.split("_")[0]).Z
    spectra = np.load(shared(f"3dtm_xanes_ml2024/{subset}_val.npz"))["spectra"]
    assert 2 / HEIGHT_FACTOR < spectra.mean(axis=0).max() * number**2 < HEIGHT_FACTOR / 2
    assert spectra.max() * number**2 < 5


def test_random_damage_ends_in_faults_or_a_sentence_and_never_in_a_traceback(path):
    whole, faulty = path.read_bytes(), 0
    for seed in range(12, 26):
        random = np.random.default_rng(seed)
        damaged = np.frombuffer(whole, dtype=np.uint8).copy()
        start = random.integers(0, len(whole) - 200)
        damaged[start : start + 200] = random.integers(0, 256, 200)
        path.write_bytes(damaged.tobytes())
        try:
            faulty += not validate(path).valid
        except XanesflowError:
            faulty += 1
    assert faulty >= 7  # the rest lies in parts of the file that hold nothing
