"""The space of a search: the training settings that it varies, and the values of each.

A space is written as in config.yaml: a list of a setting's values; a range `{low, high}`, with `step` or `log`; for
`widths` a range of hidden layers and a range of units. Every field of `TrainingSettings` can be searched, except those
in `NOT_SEARCHED`, so a new field needs no change here.

Optuna's own distributions do less: they have no sentence for a user's mistake, and none describes widths, whose number
is searched too.
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
from xanesflow.core.text import quoted

if TYPE_CHECKING:  # the configuration is read by every job, and only a search needs Optuna
    from optuna.trial import BaseTrial

NOT_SEARCHED = {"device", "threads", "seed", "max_epochs", "keep_statistics"}
"""Settings that say where, how long and with which random numbers a training runs, or apply to tuned models only."""

RANGE_TEST = "range_test"
"""The configuration's name for a learning rate that the range test finds; `TrainingSettings` has None for it."""

OWN_KEYS = ("widths", "batch_size")
"""Settings that have their own key by model in the section `models`; the others stand in `models.settings`."""

SETTINGS = tuple(field.name for field in fields(TrainingSettings) if field.name not in NOT_SEARCHED)

DEFAULT_SPACE: dict[str, Any] = {
    "widths": {"layers": {"low": 2, "high": 3}, "units": {"low": 150, "high": 600, "step": 50}},
    "batch_size": [32, 64, 128],
    "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},
}
"""It includes the models of arXiv 2409.19552 and those of the preset `best`."""

_DIGITS = 6  # of a sampled number, so that trainings use what the file shows, and no 0.30000000000000004


def check_setting(name: str, value: Any) -> Any:
    """Convert a value to the setting's type in `TrainingSettings`. Numbers may be text, as YAML reads 1e-3.

    Raises:
        XanesflowError: there is no such setting to choose, or it cannot have this value.
    """
    if name not in SETTINGS:
        near = difflib.get_close_matches(name, SETTINGS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(SETTINGS)}."
        raise XanesflowError(f"{quoted(name)} is not a training setting that you can choose here; {hint}")
    if name == "learning_rate" and value == RANGE_TEST:
        return None
    try:
        if isinstance(value, bool) and bool not in _types(name):
            raise ValueError
        checked = TypeAdapter(_hints()[name]).validate_python(value)
    except (ValidationError, ValueError):
        raise XanesflowError(f"{name} cannot be {quoted(value)}; it takes {_wanted(name)}.") from None
    try:
        TrainingSettings(**{name: checked})
    except XanesflowError as error:
        raise XanesflowError(str(error).removeprefix("models.")) from None
    return checked


@dataclass(frozen=True)
class Choices:
    """A setting that takes one of several values: numbers, words, true and false, or None."""

    values: tuple[Any, ...]

    def suggest(self, trial: BaseTrial, name: str) -> Any:
        """The value for a trial."""
        return trial.suggest_categorical(name, self.values)

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        """Optuna's parameters of a trial with this value; None if the space does not hold the value."""
        return {name: value} if value in self.values else None


@dataclass(frozen=True)
class Range:
    """A setting that is a number from `low` to `high`, both included; `step` None: any number between them."""

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
        """Optuna's parameters of a trial with this value; None if the value is outside the range or between steps."""
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
        """The widths for a trial, whose parameters are `layers` and, for each layer, `units_1`, `units_2`, ..."""
        number = int(self.layers.suggest(trial, "layers"))
        return tuple(int(self.units.suggest(trial, f"units_{layer}")) for layer in range(1, number + 1))

    def parameters(self, name: str, value: Any) -> dict[str, Any] | None:
        """Optuna's parameters of a trial with these widths; None if the space does not hold them."""
        found = [self.layers.parameters("layers", len(value))]
        found += [self.units.parameters(f"units_{layer}", width) for layer, width in enumerate(value, start=1)]
        return None if None in found else {key: value for one in found if one for key, value in one.items()}


@dataclass(frozen=True)
class SearchSpace:
    """The settings that a search varies, each with its values; all others stay as configured."""

    settings: dict[str, Choices | Range | Layers]

    @classmethod
    def parse(cls, given: Mapping[str, Any] | None) -> SearchSpace:
        """Read a space in the form of config.yaml.

        Args:
            given: values by setting; a setting that is None is not searched. None: `DEFAULT_SPACE`.

        Raises:
            XanesflowError: the space is empty, or names an unknown setting or a value that its setting cannot have.
        """
        given = DEFAULT_SPACE if given is None else given
        settings = {name: _values(name, values) for name, values in given.items() if values is not None}
        if not settings:
            raise XanesflowError(
                f"it is empty, so there is nothing to search; name settings with their values (of "
                f"{', '.join(SETTINGS)}), or set null for widths, batch sizes and dropouts around those of the paper."
            )
        return cls(settings)

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """The searched settings for a trial."""
        return {name: values.suggest(trial, name) for name, values in self.settings.items()}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: asdict(values) for name, values in self.settings.items()}

    def parameters(self, settings: TrainingSettings) -> dict[str, Any] | None:
        """Optuna's parameters of a trial with these settings; None if they lie outside the space."""
        found: dict[str, Any] = {}
        for name, values in self.settings.items():
            one = values.parameters(name, getattr(settings, name))
            if one is None:
                return None
            found |= one
        return found


def _values(name: str, given: Any) -> Choices | Range | Layers:
    """Read the values of one setting."""
    if name not in SETTINGS:
        check_setting(name, given)
    if name == "kernel_share":
        raise XanesflowError(
            "kernel_share cannot be searched, because the value of a trial is the error of its network alone; set "
            "models.kernel_share."
        )
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
        raise XanesflowError(
            f"{name} is {quoted(given)}; give a list of values, or a range such as {{low: 1, high: 2}}."
        )
    checked = tuple(check_setting(name, value) for value in given)
    if len(set(checked)) < len(checked):
        raise XanesflowError(f"{name} has a value twice.")
    return Choices(checked)


def _range(name: str, given: Any, *, whole: bool) -> Range:
    """Read and check a range."""
    parts = _keys(name, given, {"low", "high"}, {"step", "log"})
    numbers = {key: _number(f"{name}: {key}", value) for key, value in parts.items() if key != "log"}
    log = parts.get("log", False)
    values = Range(numbers["low"], numbers["high"], numbers.get("step"), log=log, whole=whole)
    step, span = values.step, values.high - values.low
    for wrong, what in (
        (not isinstance(log, bool), f"log is {quoted(log)}, and must be true or false"),
        (values.low > values.high, f"low is {values.low:g} and high is {values.high:g}; swap the two"),
        (step is not None and step <= 0, f"step is {step}, and must be positive"),
        (log and values.low <= 0, f"log is true, so low must be positive, and is {values.low:g}"),
        (log and step is not None, "step and log do not go together; remove one of them"),
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
    """Check that a mapping has all keys `wanted` and no others but those of `may`; returns it without nulls."""
    form = "{" + ", ".join(f"{key}: ..." for key in sorted(wanted)) + "}"
    if not isinstance(given, Mapping):
        raise XanesflowError(f"{name} is {quoted(given)}; give {form}.")
    parts = {str(key): value for key, value in given.items() if value is not None}
    if wrong := sorted(parts.keys() - wanted - may):
        raise XanesflowError(f"{name} does not take '{wrong[0]}'; it takes {', '.join(sorted(wanted) + sorted(may))}.")
    if missing := sorted(wanted - parts.keys()):
        raise XanesflowError(f"{name} has no '{missing[0]}'; give {form}.")
    return parts


def _number(name: str, value: Any) -> float:
    """Read a finite number, which may be text."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise XanesflowError(f"{name} is {quoted(value)}, and must be a number.")
    return number


def _rounded(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(TrainingSettings)


def _types(name: str) -> set[Any]:
    """The types that a setting's value may have, without None."""
    hint = _hints()[name]
    return {int} if get_origin(hint) is tuple else set(get_args(hint) or (hint,)) - {NoneType}


def _wanted(name: str) -> str:
    """The type of a setting in words, for messages."""
    hint = _hints()[name]
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if get_origin(hint) is tuple:
        return "a list of whole numbers"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", NoneType: "null"}
    return " or ".join(words.get(each, str(each)) for each in (get_args(hint) or (hint,)))
