"""What a user may choose about an exported graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from lstm_export.errors import OptionError
from lstm_export.exporting.graph.opset import check_versions
from lstm_export.exporting.target import Target

OPSET_VERSION = 18
IR_VERSION = 8


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """Names, axes and versions of a graph. Raises OptionError for what makes no sense.

    `dynamic_axes` None leaves every axis open that the module lets vary; given, those it names must
    be dynamic and the others are not, save where they must equal one that is. `shortest` has
    the smallest size of every axis that varies, of the inputs where these are known beforehand.
    """

    input_names: Sequence[str] | None = None
    output_names: Sequence[str] | None = None
    dynamic_axes: Mapping[str, Any] | None = None
    target: Target = "portable"
    opset_version: int = OPSET_VERSION
    ir_version: int = IR_VERSION
    shortest: Mapping[str, Mapping[int, int]] | None = None

    def __post_init__(self) -> None:
        if self.target not in get_args(Target):
            raise OptionError(
                f"target {self.target!r}: expected {' or '.join(map(repr, get_args(Target)))}"
            )
        check_versions(self.opset_version, self.ir_version)
