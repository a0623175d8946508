"""A trained interpreter: readers of three views, a check of the domain, the sites that it learned from; in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from xanesflow.core.array_types import Floats
from xanesflow.core.damage import explain_damage, what_is_wrong
from xanesflow.core.energy_grid import N_POINTS
from xanesflow.core.errors import SenselessFileError, XanesflowError
from xanesflow.core.foreign_json import parse_json, parse_object
from xanesflow.core.tensors_file import read_tensors, write_tensors
from xanesflow.core.text import quoted
from xanesflow.interpretation.domain import Domain
from xanesflow.interpretation.fit_reader import FittedReader, arrays_of, fit_reader, from_arrays
from xanesflow.interpretation.targets import Targets
from xanesflow.interpretation.training_data import TrainingData, unknown
from xanesflow.interpretation.views import View, see

FORMAT = "xanesflow interpreter 3"

MADE = "results/interpretation/models, made by snakemake interpretation"
"""Where interpreters are, for sentences."""

VIEWS: tuple[View, ...] = ("whole", "grid", "aligned")


@dataclass(frozen=True)
class Card:
    """What an interpreter is.

    Attributes:
        model: `trees`, `network` or `blend`.
        name: the subset that it learned, or `all`.
        starts_ev: first energy of the grid of each absorber that it can read.
        split: `campaign`, or the seed of a random split.
        seed: of its random numbers.
        n_train, n_val: sites that it learned from and was calibrated on.
        not_known: how many sites each descriptor is not known of, in words.
        made: provenance.
    """

    model: str
    name: str
    starts_ev: dict[str, float]
    split: str
    seed: int
    n_train: int
    n_val: int
    not_known: tuple[str, ...]
    made: dict[str, str]

    @property
    def elements(self) -> tuple[str, ...]:
        """Absorbers that it can read."""
        return tuple(self.starts_ev)


@dataclass(frozen=True, eq=False)
class Interpreter:
    """A trained interpreter.

    Attributes:
        card: what it is.
        targets: the descriptors and classes that it reads.
        readers: by view.
        domain: whether a spectrum is like its training spectra.
        seen: (n, 97) training spectra in the view `aligned`.
        values: (n, k) their descriptors.
        ids, formulas: of their sites.
    """

    card: Card
    targets: Targets
    readers: dict[View, FittedReader]
    domain: Domain
    seen: Floats
    values: Floats
    ids: list[str]
    formulas: list[str]

    @classmethod
    def fit(cls, model: str, data: TrainingData, *, split: str, seed: int, made: dict[str, str]) -> Interpreter:
        """Fit it to the training part, and calibrate it on the validation part."""
        train, val = data.rows("train"), data.rows("val")
        targets = Targets.of(data.values[train])
        if not targets.names:
            raise XanesflowError(
                f"{data.name}: no descriptor is known of 20 training sites, so there is nothing to learn; a dataset "
                "without structures has none."
            )
        return cls(
            Card(
                model, data.name, data.starts_ev, split, seed, len(train), len(val), tuple(unknown(data.values)), made
            ),
            targets,
            {view: fit_reader(model, view, data, targets, seed) for view in VIEWS},
            Domain.fit(data.spectra[train], data.spectra[val], seed),
            see(data.spectra[train], "aligned"),
            targets.take(data.values[train]),
            [data.ids[row] for row in train],
            [data.formulas[row] for row in train],
        )

    def nearest(self, seen: Floats, number: int) -> tuple[npt.NDArray[np.intp], Floats]:
        """Rows of the training spectra nearest to one in the view `aligned`, and their root mean square distances."""
        distances = np.sqrt(np.mean((self.seen - seen) ** 2, axis=1))
        rows = np.argsort(distances, kind="stable")[:number]
        return rows, distances[rows]

    def save(self, path: Path) -> None:
        """Write it in the safetensors format, whole or not at all."""
        numbers = {"mean", "scale", "low", "high", "prior"}
        arrays = {f"targets.{name}": getattr(self.targets, name) for name in numbers}
        arrays |= {"seen": self.seen.astype(np.float32), "values": self.values}
        arrays |= {f"domain.{name}": value for name, value in self.domain.arrays().items()}
        for fitted in self.readers.values():
            arrays |= arrays_of(fitted)
        texts = {
            "card": asdict(self.card),
            "names": self.targets.names,
            "classes": self.targets.classes,
            "temperatures": {view: fitted.bars.temperature for view, fitted in self.readers.items()},
            "ids": self.ids,
            "formulas": self.formulas,
        }
        write_tensors(path, arrays, {"format": FORMAT, **{name: json.dumps(value) for name, value in texts.items()}})


def load_interpreter(path: Path) -> Interpreter:
    """Read an interpreter.

    Raises:
        XanesflowError: the file cannot be read, is damaged, or is no interpreter of this version.
    """
    arrays, texts = _read(path)
    if texts.get("format") != FORMAT:
        raise XanesflowError(
            f"{path} is no interpreter of this version (its format is {quoted(texts.get('format'))}); name a file "
            f"of {MADE}."
        )
    with explain_damage(f"The interpreter {path} is damaged ({{why}}); make it again."):
        card = TypeAdapter(Card).validate_python(parse_object(texts["card"]))
        names = ("mean", "scale", "low", "high", "prior")
        targets = Targets(
            tuple(map(str, parse_json(texts["names"]))),
            **{name: arrays[f"targets.{name}"] for name in names},
            classes={name: tuple(map(int, each)) for name, each in parse_object(texts["classes"]).items()},
        )
        temperatures = parse_object(texts["temperatures"])
        readers = {view: from_arrays(card.model, view, arrays, temperatures[view], targets) for view in VIEWS}
        domain = Domain.from_arrays({n.removeprefix("domain."): v for n, v in arrays.items() if n[:7] == "domain."})
        seen = arrays["seen"].astype(np.float64)
        ids, formulas = (list(map(str, parse_json(texts[name]))) for name in ("ids", "formulas"))
        if len({len(each) for each in (seen, arrays["values"], ids, formulas)}) > 1:
            raise ValueError
        found = Interpreter(card, targets, readers, domain, seen, arrays["values"], ids, formulas)
        # Use it once: arrays that do not fit each other fail here and not in the work.
        step = np.linspace(0.0, 1.0, N_POINTS)[None]
        for view, reader in readers.items():
            reader.values(see(step, view), targets)
        domain.p_values(see(step, "aligned"))
        found.nearest(see(step, "aligned"), 1)
        return found


def _read(path: Path) -> tuple[Mapping[str, npt.NDArray[Any]], dict[str, str]]:
    try:
        return read_tensors(path)
    except SenselessFileError as error:
        raise XanesflowError(f"{path} is no interpreter, or it is damaged ({error}); make it again.") from None
    except FileNotFoundError:
        raise XanesflowError(f"The interpreter {path} does not exist; name a file of {MADE}.") from None
    except IsADirectoryError:
        raise XanesflowError(f"{path} is a folder and no interpreter; name a file of {MADE}.") from None
    except OSError as error:
        raise XanesflowError(
            f"The interpreter {path} cannot be read ({what_is_wrong(error)}); name a file of {MADE}."
        ) from None
