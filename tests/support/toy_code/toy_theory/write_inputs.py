"""Inputs of the toy: toy.in with the edge and the distances to the neighbours."""

from toy_theory.options import ToyOptions


class ToyWriter:
    """Writes `TOY/<site>_<element>/toy.in`."""

    def __init__(self, options, element):
        self.options = ToyOptions(**options)

    def write(self, folder, structure, sites):
        for site in sites:
            place = folder / "TOY" / f"{site:03d}_{structure[site].specie.symbol}"
            place.mkdir(parents=True)
            write_toy(place, structure, site, self.options)
        return {}


def write_toy(folder, structure, site, options):
    """Write toy.in into the folder of a run."""
    distances = sorted(each.nn_distance for each in structure.get_neighbors(structure[site], options.radius))
    (folder / "toy.in").write_text("".join(f"{number:.6f}\n" for number in (options.edge_ev, *distances)))
