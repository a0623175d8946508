"""How much does the projection of ACSF and SOAP to 1024 numbers lose, compared with all of dscribe's columns?

    python studies/compare_descriptors.py results/dataset/baselines.h5 Cu_FEFF

For each descriptor, the principal components of the training part (99 % of the variance) are computed twice: from all
columns of all elements (sparse; by the matrix of inner products, because there are more columns than sites), and from
the projected numbers. The table shows the number of components, how well the distances in the validation part agree,
and η of linear regression on the components, on the validation part.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import numpy as np
from pymatgen.core import Structure
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from xanesflow.dataset.file import structure_json
from xanesflow.evaluation.metrics import compute_metrics
from xanesflow.features.acsf_soap import DescriptorFeaturizer, raw_columns
from xanesflow.models.network.reduction import VARIANCE, principal_axes
from xanesflow.models.simple_models import fit_linear


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("subset")
    given = parser.parse_args()
    with h5py.File(given.dataset) as file:
        group = file[given.subset]
        sites = list(zip(group["material_id"].asstr()[:], group["site_index"][:].tolist(), strict=True))
        split, spectra = group["split"].asstr()[:], group["spectra"][:]
        texts = {material: structure_json(file, given.subset, material) for material, _ in sites}
    structures = {material: Structure.from_str(text, fmt="json") for material, text in texts.items()}
    parts = [np.flatnonzero(split == part) for part in ("train", "val")]
    print(f"{'':6}{'columns':>24}{'components':>12}{'η linear':>10}{'distances':>22}")
    with threadpool_limits(1):
        for name in ("acsf", "soap"):
            wide = all_columns(name, structures, sites)
            one = DescriptorFeaturizer(name)
            narrow = np.concatenate([one.describe(structures[material], [site]) for material, site in sites])
            exact, projected = from_products(wide, *parts), from_numbers(narrow, *parts)
            ratio = distances(projected[1]) / distances(exact[1])
            for what, inputs in ((f"{wide.shape[1]} (not 0)", exact), (str(narrow.shape[1]), projected)):
                eta = eta_of_linear(inputs, [spectra[rows] for rows in parts])
                told = f"{ratio.mean():.3f} ± {ratio.std():.3f}" if inputs is projected else "1"
                print(f"{name:6}{what:>24}{inputs[0].shape[1]:>12}{eta:>10.2f}{told:>22}", flush=True)


def all_columns(name: str, structures: dict[str, Structure], sites: list[tuple[str, int]]) -> csr_matrix:
    """(sites, columns) all blocks that any site has, with zeros for elements that its structure lacks."""
    first: dict[tuple[int, ...], int] = {}
    rows, columns, values = [], [], []
    width = 0
    for row, (material, site) in enumerate(sites):
        of_site, blocks = raw_columns(name, structures[material], [site])
        for elements, where in blocks:
            length = where.stop - where.start
            if elements not in first:
                first[elements], width = width, width + length
            rows.append(np.full(length, row))
            columns.append(first[elements] + np.arange(length))
            values.append(of_site[0, where])
    where = (np.concatenate(rows), np.concatenate(columns))
    return csr_matrix((np.concatenate(values), where), shape=(len(sites), width))


def from_products(wide: csr_matrix, train: np.ndarray, val: np.ndarray) -> list[np.ndarray]:
    """Principal components of both parts, from inner products of centred rows."""
    mean = np.asarray(wide[train].mean(axis=0)).ravel()
    with_mean = wide @ mean
    products = [
        (wide[rows] @ wide[train].T).toarray() - with_mean[rows][:, None] - with_mean[train] + mean @ mean
        for rows in (train, val)
    ]
    eigenvalues, vectors = np.linalg.eigh(products[0])
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    number = 1 + int(np.argmax(np.cumsum(eigenvalues) / eigenvalues.sum() >= VARIANCE))
    return [each @ vectors[:, :number] / np.sqrt(eigenvalues[:number]) for each in products]


def from_numbers(narrow: np.ndarray, train: np.ndarray, val: np.ndarray) -> list[np.ndarray]:
    """Principal components of both parts, as a model computes them."""
    axes = principal_axes(narrow[train])
    return [(narrow[rows] - narrow[train].mean(axis=0)) @ axes for rows in (train, val)]


def distances(inputs: np.ndarray) -> np.ndarray:
    """Distance between each site and the next one."""
    return np.linalg.norm(np.diff(inputs, axis=0), axis=1) + 1e-12


def eta_of_linear(inputs: list[np.ndarray], spectra: list[np.ndarray]) -> float:
    """η of linear regression on standardised inputs, on the validation part."""
    size = inputs[0].std(axis=0)
    train, val = ((each / size, truth) for each, truth in zip(inputs, spectra, strict=True))
    predictions = fit_linear(train, val).predict(val[0])
    return compute_metrics(spectra[1], predictions, spectra[0].mean(axis=0)).eta


if __name__ == "__main__":
    main()
