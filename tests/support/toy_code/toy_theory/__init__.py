"""A level of theory that stands outside the library, as another package adds one: its record, and the four files."""

from xanesflow.codes.theory import Theory

TOY = Theory(
    name="TOY",
    title="a toy: an edge, and a peak for each neighbour",
    folder="TOY",
    files=("toy.in", "toy.out"),
    spectrum_file="toy.out",
    engine="toy_theory.engine:ToyEngine",
    options="toy_theory.options:ToyOptions",
    reader="toy_theory.read_run:read_toy",
    writer="toy_theory.write_inputs:ToyWriter",
    core_hours=1e-5,
    cost_basis="a guess",
    broadening="2 eV",
    limits="Spectra of the toy mean nothing.",
    envelope_sigma=9.0,
)
