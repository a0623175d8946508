"""What a search may choose: the settings of a training and the values of each.

A space is written as in config.yaml. A list has the values of a setting; `{low, high}` a range, with `step` or `log`;
and `widths` a range of hidden layers and one of units. Every field of `TrainingSettings` can be searched but those
that say where and how long a training runs, so a new field needs nothing here.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError

if TYPE_CHECKING:  # the configuration is read by every job, and only a search needs Optuna
    from optuna.trial import BaseTrial

NOT_SEARCHED = {"device", "threads", "seed", "max_epochs", "keep_statistics"}
"""Settings that say where, how long and from which random numbers a training runs, or are of tuned models alone."""

RANGE_TEST = "range_test"
"""How the configuration calls a learning rate that is found by the range test; in `TrainingSettings` it is None."""

SETTINGS = tuple(field.name for field in fields(TrainingSettings) if field.name not in NOT_SEARCHED)

DEFAULT_SPACE: dict[str, Any] = {
    "widths": {"layers": {"low": 2, "high": 3}, "units": {"low": 150, "high": 600, "step": 50}},
    "batch_size": [32, 64, 128],
    "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},
}
"""It holds the models of arXiv 2409.19552 and those of the preset `best`."""

_DIGITS = 6  # of a sampled number: what is trained with is what stands in the file, without 0.30000000000000004


def check_setting(name: str, value: Any) -> Any:
    """A value of a setting in the type of `TrainingSettings`; numbers may come as text, as YAML reads 1e-3.

    Raises:
        XanesflowError: there is no such setting to choose, or it cannot have this value.
    """
    if name not in SETTINGS:
        near = difflib.get_close_matches(name, SETTINGS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(SETTINGS)}."
        raise XanesflowError(f"'{name}' is no setting of a training that can be chosen here; {hint}")
    if name == "learning_rate" and value == RANGE_TEST:
        return None
    try:
        if isinstance(value, bool) and bool not in _types(name):
            raise ValueError
        checked = TypeAdapter(_hints()[name]).validate_python(value)
    except (ValidationError, ValueError):
        raise XanesflowError(f"{name} cannot be {value!r}; it takes {_wanted(name)}.") from None
    try:
        TrainingSettings(**{name: checked})
    except XanesflowError as error:
        raise XanesflowError(str(error).removeprefix("models.")) from None
    return checked


@dataclass(frozen=True)
class Choices:
    """A setting that has one of some values: numbers, words, true and false, or None."""

    values: tuple[Any, ...]

    def suggest(self, trial: BaseTrial, name: str) -> Any:
        """The value for a trial."""
        return trial.suggest_categorical(name, self.values)

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        """What a trial with this value is asked for; None: the value is not among those of the space."""
        return {name: value} if value in self.values else None


@dataclass(frozen=True)
class Range:
    """A setting that is a number from `low` to `high`, both among them; `step` None: any number between."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    def suggest(self, trial: BaseTrial, name: str) -> float:
        """The value for a trial."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return _rounded(trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log))

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        """What a trial with this value is asked for; None: the value is not in the range, or on no step of it."""
        if value is None or not self.low <= value <= self.high:
            return None
        steps = (value - self.low) / self.step if self.step else 0.0
        return {name: value} if abs(steps - round(steps)) < 1e-6 else None


@dataclass(frozen=True)
class Layers:
    """Widths of the hidden layers: their number, and the units of each."""

    layers: Range
    units: Range

    def suggest(self, trial: BaseTrial, name: str) -> tuple[int, ...]:
        """The widths for a trial; it has a parameter `layers`, and one `units_1`, `units_2`, ... a layer."""
        number = int(self.layers.suggest(trial, "layers"))
        return tuple(int(self.units.suggest(trial, f"units_{layer}")) for layer in range(1, number + 1))

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        """What a trial with these widths is asked for; None: they are not in the space."""
        found = [self.layers.parameters("layers", len(value))]
        found += [self.units.parameters(f"units_{layer}", width) for layer, width in enumerate(value, start=1)]
        return None if None in found else {key: value for one in found if one for key, value in one.items()}


@dataclass(frozen=True)
class SearchSpace:
    """The settings that a search chooses, each with its values; all others are as the configuration has them."""

    settings: dict[str, Choices | Range | Layers]

    @classmethod
    def parse(cls, given: Mapping[str, Any] | None) -> SearchSpace:
        """Read a space as config.yaml has it.

        Args:
            given: by setting; one that is None is not searched. None: `DEFAULT_SPACE`.

        Raises:
            XanesflowError: it is empty, names a setting that there is not, or values that this cannot have.
        """
        given = DEFAULT_SPACE if given is None else given
        settings = {name: _values(name, values) for name, values in given.items() if values is not None}
        if not settings:
            raise XanesflowError(
                f"it is empty, so there is nothing to search; name settings with their values (of "
                f"{', '.join(SETTINGS)}), or take null for widths, batch sizes and dropouts around those of the paper."
            )
        return cls(settings)

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """The searched settings of a trial."""
        return {name: values.suggest(trial, name) for name, values in self.settings.items()}

    def as_dict(self) -> dict[str, Any]:
        """The space as JSON can hold it."""
        return {name: asdict(values) for name, values in self.settings.items()}

    def parameters(self, settings: TrainingSettings) -> dict[str, Any] | None:
        """What a trial with these settings is asked for; None: they lie outside of the space."""
        found: dict[str, Any] = {}
        for name, values in self.settings.items():
            one = values.parameters(name, getattr(settings, name))
            if one is None:
                return None
            found |= one
        return found


def _values(name: str, given: Any) -> Choices | Range | Layers:
    """The values of one setting, read."""
    if name not in SETTINGS:
        check_setting(name, given)
    if name == "widths":
        parts = _keys(name, given, {"layers", "units"}, set())
        layers, units = (_range(f"widths: {key}", parts[key], whole=True) for key in ("layers", "units"))
        for part, values in (("layers", layers), ("units", units)):
            if values.low < 1:
                raise XanesflowError(f"widths: {part} begins at {values.low:g}; it must be 1 or more.")
        return Layers(layers, units)
    if isinstance(given, Mapping):
        if not {int, float} & _types(name):
            raise XanesflowError(f"{name} is no number, so it has no range; give a list of values.")
        values = _range(name, given, whole=float not in _types(name))
        for end in (values.low, values.high):
            check_setting(name, int(end) if values.whole else end)
        return values
    if not isinstance(given, list | tuple) or not given:
        raise XanesflowError(f"{name} is {given!r}; give a list of values, or a range as {{low: 1, high: 2}}.")
    checked = tuple(check_setting(name, value) for value in given)
    if len(set(checked)) < len(checked):
        raise XanesflowError(f"{name} has a value twice.")
    return Choices(checked)


def _range(name: str, given: Any, *, whole: bool) -> Range:
    """A range, read and checked."""
    parts = _keys(name, given, {"low", "high"}, {"step", "log"})
    numbers = {key: _number(f"{name}: {key}", value) for key, value in parts.items() if key != "log"}
    log = parts.get("log", False)
    values = Range(numbers["low"], numbers["high"], numbers.get("step"), log=log, whole=whole)
    step, span = values.step, values.high - values.low
    for wrong, what in (
        (not isinstance(log, bool), f"log is {log!r}, and must be true or false"),
        (values.low > values.high, f"low is {values.low:g} and high is {values.high:g}; turn them round"),
        (step is not None and step <= 0, f"step is {step}, and must be positive"),
        (log and values.low <= 0, f"log is true, so low must be positive, and is {values.low:g}"),
        (log and step is not None, "step and log do not go together; leave one of them out"),
        (
            step is not None and step > 0 and abs(span / step - round(span / step)) > 1e-6,
            "from low to high must be a whole number of steps",
        ),
        (
            whole and any(number != math.floor(number) for number in numbers.values()),
            "its numbers must be whole ones",
        ),
    ):
        if wrong:
            raise XanesflowError(f"{name}: {what}.")
    return values


def _keys(name: str, given: Any, wanted: set[str], may: set[str]) -> dict[str, Any]:
    """A mapping that has all keys `wanted`, perhaps some of `may`, and no others; those that are None are left out."""
    form = "{" + ", ".join(f"{key}: ..." for key in sorted(wanted)) + "}"
    if not isinstance(given, Mapping):
        raise XanesflowError(f"{name} is {given!r}; give {form}.")
    parts = {str(key): value for key, value in given.items() if value is not None}
    if wrong := sorted(parts.keys() - wanted - may):
        raise XanesflowError(f"{name} knows no '{wrong[0]}'; it takes {', '.join(sorted(wanted) + sorted(may))}.")
    if missing := sorted(wanted - parts.keys()):
        raise XanesflowError(f"{name} has no '{missing[0]}'; give {form}.")
    return parts


def _number(name: str, value: Any) -> float:
    """A finite number, which may come as text."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise XanesflowError(f"{name} is {value!r}, and must be a number.")
    return number


def _rounded(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(TrainingSettings)


def _types(name: str) -> set[Any]:
    """The types that a setting's value may have, but for None."""
    hint = _hints()[name]
    return {int} if get_origin(hint) is tuple else set(get_args(hint) or (hint,)) - {NoneType}


def _wanted(name: str) -> str:
    """The type of a setting, for messages."""
    hint = _hints()[name]
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if get_origin(hint) is tuple:
        return "a list of whole numbers"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", NoneType: "null"}
    return " or ".join(words.get(each, str(each)) for each in (get_args(hint) or (hint,)))
