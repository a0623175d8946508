"""Files that somebody changed or packed with ill intent: told, not followed, and no other site suffers."""

import shutil
import tarfile

import h5py
import numpy as np
import pandas as pd
import pytest
from feff_runs import archive_files
from pack_archives import tar_bytes, tar_info
from shared_data import shared
from workflow import run, write_config

from xanesflow.codes.archive import MEMBER_LIMIT

NO_ENVELOPE = {"subsets": ["Cu_FEFF"], "curation": {"envelope": {"FEFF": None}}}


def spectra_of(path):
    """Spectrum by site."""
    with h5py.File(path) as file:
        sites = zip(file["material_id"].asstr()[:], file["site_index"][:].tolist(), strict=True)
        return dict(zip(sites, file["spectra"][:], strict=True))


def test_unsafe_members_are_listed_and_all_other_spectra_stay_as_they_are(tmp_path, runs):
    """As they are in the plain folder of the same runs."""
    files = archive_files()
    alone = [name for name in files if name.endswith("/000_Cu/xmu.dat")]
    alone = [name for name in alone if sum(other.startswith(name.split("/FEFF")[0]) for other in files) == 4]
    parent, absolute, soft, hard, huge, other_root = (name.split("/")[1] for name in alone[:6])
    members, expected = [], {}
    for name, content in files.items():
        material = name.split("/")[1]
        spectrum = name.endswith("xmu.dat")
        if material == parent:  # run and structure: nothing is known about the site then
            members.append((tar_info(f"runs/../../{name}"), content))
            expected[material] = "no_structure"
        elif material == absolute:
            members.append((tar_info(f"/tmp/{name}"), content))
            expected[material] = "no_structure"
        elif material == soft and spectrum:
            members.append((tar_info(name, tarfile.SYMTYPE, "/etc/passwd"), b""))
            expected[material] = "unsafe_file"
        elif material == hard and spectrum:
            members.append((tar_info(name, tarfile.LNKTYPE, alone[10]), b""))
            expected[material] = "unsafe_file"
        elif material == huge and spectrum:
            members.append((tar_info(name), bytes(MEMBER_LIMIT + 1)))
            expected[material] = "unsafe_file"
        elif material == other_root:  # the whole material once more elsewhere: the first one counts
            members += [(tar_info(name), content), (tar_info(f"copy/{name}"), content)]
            expected[material] = "duplicate"
        else:
            members.append((tar_info(name), content))
    (tmp_path / "hostile.tar").write_bytes(tar_bytes(members))
    spectra = {}
    for kind, archive in (("hostile", tmp_path / "hostile.tar"), ("clean", runs)):
        write_config(tmp_path / kind, **NO_ENVELOPE, simulations={"archive": str(archive)})
        run(tmp_path / kind, "spectra")
        spectra[kind] = spectra_of(tmp_path / kind / "results/spectra/Cu_FEFF.h5")

    rejected = pd.read_csv(tmp_path / "hostile/results/spectra/Cu_FEFF_rejected.csv")
    assert dict(zip(rejected["material_id"], rejected["reason"], strict=True)) == expected
    gone = {material for material, reason in expected.items() if reason != "duplicate"}
    assert spectra["hostile"].keys() == {site for site in spectra["clean"] if site[0] not in gone}
    for site, spectrum in spectra["hostile"].items():
        assert np.array_equal(spectrum, spectra["clean"][site]), site
    details = dict(zip(rejected["material_id"], rejected["detail"], strict=True))
    for material, word in {parent: "'..'", absolute: "absolute path", soft: "/etc/passwd", hard: "link"}.items():
        assert word in details[material]
    assert f"{MEMBER_LIMIT + 1:,} bytes" in details[huge]


@pytest.fixture
def campaign_with_weights(tmp_path):
    """Say which weights; the archive has but a few materials, as no features are ever made."""

    def of(weights):
        from feff_runs import write_archive

        write_archive(tmp_path / "runs", materials=6)
        write_config(
            tmp_path,
            **NO_ENVELOPE,
            simulations={"archive": "runs"},
            features={"models": ["m3gnet"], "m3gnet_weights": weights},
        )
        printed = run(tmp_path, "features", good=False)
        assert "Traceback" not in printed
        assert not (tmp_path / "results/features").exists() or not list((tmp_path / "results/features").rglob("*.h5"))
        return printed

    return of


def test_weights_that_were_changed_by_one_number_are_refused(tmp_path, campaign_with_weights):
    import torch

    shutil.copytree(shared("m3gnet/M3GNet-MP-2021.2.8-PES"), tmp_path / "weights")
    state = tmp_path / "weights/state.pt"
    state.chmod(0o644)
    state.parent.chmod(0o755)
    tensors = torch.load(state, weights_only=True)
    name = next(name for name in tensors if "graph_layers" in name and tensors[name].dim() == 2)
    tensors[name][0, 0] += 1e-6
    torch.save(tensors, state)
    printed = campaign_with_weights("weights")
    assert "ERROR: " in printed
    assert "weights/state.pt" in printed
    assert "SHA-256" in printed or "published" in printed


def test_weights_that_would_run_code_are_refused(tmp_path, campaign_with_weights):
    import torch

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (tmp_path / "weights").mkdir()
    torch.save({"model.embedding.weight": Trap()}, tmp_path / "weights/state.pt")
    printed = campaign_with_weights("weights")
    assert "weights/state.pt are damaged, or hold more than tensors" in printed
    assert not (tmp_path / "sprung").exists()
