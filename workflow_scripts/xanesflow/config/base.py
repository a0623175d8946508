"""The base class of all sections of config.yaml, and the types of values that many keys share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from xanesflow.core.errors import XanesflowError
from xanesflow.core.sites import Subset, known_theories


def _subset_name(name: str) -> str:
    try:
        Subset.parse(name)
    except XanesflowError as error:
        raise ValueError(str(error)) from None
    return name


def unique(values: list[Any]) -> list[Any]:
    """Refuse a list that holds a value twice."""
    if len(set(values)) < len(values):
        raise ValueError("the list holds a value twice")
    return values


def not_bool(value: Any) -> Any:
    """Refuse true and false for a number, as Python would read them as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("give a number, not true or false")
    return value


SubsetName = Annotated[str, AfterValidator(_subset_name)]
ModelName = Annotated[str, AfterValidator(lambda name: name if name == "universal" else _subset_name(name))]
Count = Annotated[int, BeforeValidator(not_bool), Field(ge=1)]
Seed = Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=2**32 - 1)]
Positive = Annotated[float, BeforeValidator(not_bool), Field(gt=0, allow_inf_nan=False)]
Number = Annotated[float, BeforeValidator(not_bool), Field(allow_inf_nan=False)]
Share = Annotated[float, BeforeValidator(not_bool), Field(gt=0, lt=1)]
ElementSymbol = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
if TYPE_CHECKING:
    Theory = str
else:
    Theory = Literal[known_theories()]
    """Name of a level of theory."""


class Section(BaseModel):
    """A part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


def commented(model: type[BaseModel], name: str, indent: str) -> list[str]:
    """Lines of YAML for one key and all keys below it, each with its description as a comment above."""
    field = model.model_fields[name]
    lines = [f"{indent}# {line}" for line in str(field.description).splitlines()]
    if not isinstance(field.default, Section):
        return [*lines, f"{indent}{name}: {_flow(field.default)}"]
    lines.append(f"{indent}{name}:")
    for inner in type(field.default).model_fields:
        lines += commented(type(field.default), inner, indent + "  ")
    return lines


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).removesuffix("...\n").strip()
