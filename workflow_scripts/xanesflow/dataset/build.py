"""The campaign's dataset: `results/dataset/<campaign>.h5`.

/                       attributes: schema, schema_version, title, creator, licence, citation, created, versions,
                        config, content_sha256
/<subset>/energy        (141,) eV, absolute
/<subset>/spectra       (n, 141) bohr² [units, energy_reference, broadening, normalization, reference]
/<subset>/material_id, site_index, multiplicity, split   (n,)
/<subset>/corrections   (n,) what was changed in a run's inputs until it succeeded; empty if nothing was
/<subset>/settings      (n,) physics settings of a run that differ from those of most; only if some do
/<subset>/features/<featurizer>   (n, d) float32 [weights_hash, meaning]
/<subset>/rejected/material_id, site_index, reason, detail
/structures/<material_id>   pymatgen JSON; `<material_id>@<subset>` if that subset numbers the atoms differently,
                        or if another subset has the material and no structure for it
                        [name, reference, parent: each only where it is known; see `dataset.file.ABOUT`]

Each HDF5 dataset of a subset, and the group of structures, has an attribute sha256 (see `dataset.file.seal`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py

from xanesflow.codes.registry import theory_of
from xanesflow.core.arrays import STRING, read_array, write_array
from xanesflow.core.files import atomic_path, sha256_file
from xanesflow.core.provenance import provenance
from xanesflow.core.reasons import Rejected
from xanesflow.core.sites import Subset, parent_of, rows_of_sites
from xanesflow.core.tables import count_reasons, describe_counts, read_csv, read_parquet, write_rejected_group
from xanesflow.dataset.file import ABOUT, SCHEMA, SCHEMA_VERSION, STRUCTURES, seal
from xanesflow.dataset.splits import check_split
from xanesflow.features.compute_features import read_features
from xanesflow.spectra.store import read_spectra

log = logging.getLogger(__name__)

CITATION = "OmniXAS: A Universal Deep-Learning Framework for Materials X-ray Absorption Spectra, arXiv:2409.19552"


@dataclass(frozen=True)
class SubsetFiles:
    """The files from which the dataset takes one subset."""

    spectra: Path  # HDF5 of curated spectra
    structures: Path  # Parquet of structures
    split: Path  # CSV that `split_sites` wrote
    features: Mapping[str, Path]  # HDF5 file of each featurizer, by its name


def build_dataset(
    output: Path, subsets: Mapping[str, SubsetFiles], *, campaign: str, creator: str, licence: str, config: str
) -> None:
    """Write the dataset of a campaign.

    A site enters the dataset if curation accepted its spectrum, every featurizer described it, and the split puts it
    in a part. The subset's rejected table lists every other site with its reason.

    Args:
        output: HDF5 to write.
        subsets: files by subset name.
        campaign: title of the dataset.
        creator: who made it.
        licence: SPDX name of its licence.
        config: the configuration as JSON; it is recorded in the file.

    Raises:
        XanesflowError: a part that training needs would be empty.
    """
    with atomic_path(output) as temporary, h5py.File(temporary, "w") as file:
        inputs: dict[str, str] = {}
        for name, files in subsets.items():
            _add_subset(file.create_group(name), files)
            paths = [files.spectra, files.structures, files.split, *files.features.values()]
            inputs |= {f"{p.parent.name}/{p.name}": sha256_file(p) for p in paths}
        _add_structures(file, {name: files.structures for name, files in subsets.items()})
        file.attrs.update(
            {
                "schema": SCHEMA,
                "schema_version": SCHEMA_VERSION,
                "title": f"{campaign}: K-edge XANES of {', '.join(subsets)}",
                "campaign": campaign,
                "creator": creator,
                "licence": licence,
                "citation": CITATION,
                **provenance([], ["h5py", "pymatgen", "torch", "chgnet", "dscribe"], config),
                "inputs_sha256": json.dumps(inputs, sort_keys=True),
            }
        )
        seal(file)


def _add_subset(group: h5py.Group, files: SubsetFiles) -> None:
    # Read what the earlier stages wrote, and index it by site.
    curated = read_spectra(files.spectra)
    features = {name: read_features(path) for name, path in files.features.items()}
    split = read_csv(files.split, dtype={"material_id": str}, keep_default_na=False)
    part_of = {(m, int(i)): str(part) for m, i, part in split.itertuples(index=False)}
    rejected = list(curated.rejected)
    rows: list[int] = []
    rows_of = {name: rows_of_sites(f.material_id, f.site_index) for name, f in features.items()}
    why = {name: {(r.material_id, r.site_index): r.detail for r in f.rejected} for name, f in features.items()}

    # Decide for each spectrum whether its site enters the dataset; if not, reject it with a reason.
    for row, site in enumerate(zip(curated.material_id, curated.site_index.tolist(), strict=True)):
        lacking = [name for name in features if site not in rows_of[name]]
        if lacking:
            detail = "; ".join(f"{name}: {why[name].get(site, 'not computed')}" for name in lacking)
            rejected.append(Rejected(*site, "no_features", detail))
        elif site not in part_of:
            rejected.append(Rejected(*site, "not_in_split", "a spectrum that no split file names"))
        else:
            rows.append(row)
    sites = [(curated.material_id[row], int(curated.site_index[row])) for row in rows]
    check_split({site: part_of[site] for site in sites}, curated.subset)

    # Write the grid, the spectra, and one array for each property of the sites.
    described = dict(curated.described)
    meaning = {"meaning": said} if (said := described.pop("multiplicity", "")) else {}
    theory = theory_of(Subset.parse(curated.subset).theory)
    about = {
        "quantity": "X-ray absorption cross section of the absorbing atom, K edge",
        "energy_reference": theory.energy_reference,
        "broadening": theory.broadening,
        "normalization": "none",
        **({"reference": theory.reference} if theory.reference else {}),
        **described,
    }
    write_array(group, "energy", curated.energy_ev)
    write_array(group, "spectra", curated.spectra[rows], **about)
    write_array(group, "material_id", [m for m, _ in sites])
    write_array(group, "site_index", [i for _, i in sites])
    write_array(group, "multiplicity", curated.multiplicity[rows], **meaning)
    meaning = {"meaning": "what was changed in the run's inputs until it succeeded; empty if nothing was"}
    write_array(group, "corrections", [curated.corrections[row] for row in rows], **meaning)
    differing = [curated.settings[row] for row in rows] if curated.settings else []
    if any(differing):
        meaning = {"meaning": "physics settings of the run that differ from those of most; empty if none do"}
        write_array(group, "settings", differing, **meaning)
    write_array(group, "split", [part_of[site] for site in sites])

    # Write the features, with the attributes that prediction needs to compute the same features again.
    for name, of_site in features.items():
        data = of_site.features[[rows_of[name][site] for site in sites]]
        settings = {"settings", "energy_start_ev"} & of_site.attributes.keys()  # of the runs the features come from
        kept = {key: of_site.attributes[key] for key in ("weights_hash", "meaning", *settings)}
        write_array(group, f"features/{name}", data, **kept)

    # Record the rejected sites, and how many there are for each reason.
    write_rejected_group(group, rejected)
    group.attrs["counts"] = json.dumps({"kept": len(rows), **count_reasons(rejected)})
    log.info("%s: %s", curated.subset, describe_counts(len(rows), rejected))


def _add_structures(file: h5py.File, paths: Mapping[str, Path]) -> None:
    # Find the materials that a subset has without a structure: the name of their id alone would give it another's.
    materials = {name: set(read_array(file[name], "material_id").tolist()) for name in paths}
    tables = {name: read_parquet(path) for name, path in paths.items()}
    without = set().union(*(materials[name] - set(table["material_id"]) for name, table in tables.items()))

    # Write each structure once, unless subsets number the atoms differently.
    structures = file.create_group(STRUCTURES)
    for name, table in tables.items():
        for row in table[table["material_id"].isin(materials[name])].to_dict("records"):
            material_id, as_json = str(row["material_id"]), row["structure"]
            key = material_id
            if key in structures and structures[key].asstr()[()] == as_json:
                continue
            if key in structures or key in without:
                key = f"{material_id}@{name}"
            dataset = structures.create_dataset(key, data=as_json, dtype=STRING)
            parent = parent_of(material_id)
            about = {each: row.get(each) for each in ABOUT} | ({"parent": parent} if parent != material_id else {})
            dataset.attrs.update({each: text for each, text in about.items() if text})
