"""Options from three places: flags override run.toml, which overrides what a data set recommends.

run.toml holds options by the names of `TrainOptions` (hyphens do as well as underscores). A
relative `data` path in it is relative to the file itself.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from lstm_export.data.embedded import EMBEDDED, known
from lstm_export.decode import decode
from lstm_export.errors import ContractError, MissingExtraError, OptionError
from lstm_export.training.check import flag
from lstm_export.training.options import TrainOptions

_NAMES = tuple(field.name for field in fields(TrainOptions))
_COLUMN_LISTS = ("target", "features")


def resolve(flags: Mapping[str, Any], config: Path | None = None) -> TrainOptions:
    """The options that `flags` (None: not given) and the file `config` give together.

    Raises OptionError for an unknown or ill-typed option, a file that cannot be read, or no data.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    stored = {} if config is None else read_toml(config)
    if given.get("data"):
        given["data"] = locate(str(given["data"]), Path.cwd())
    layers = {**stored, **given}
    if not layers.get("data"):
        raise OptionError(
            "no data: name a CSV or Parquet file or an embedded data set "
            f"({', '.join(EMBEDDED)}), or give a --config that names one"
        )
    if {"unit"} <= stored.keys() & given.keys():
        layers["unit"] = {**stored["unit"], **given["unit"]}
    embedded = known(layers["data"])
    recommended = dict(embedded.options) if embedded else {}
    return TrainOptions(**{**recommended, **layers})


def read_toml(file: Path) -> dict[str, Any]:
    """The options in `file`, by field name, `data` located. Raises OptionError."""
    try:
        body = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"cannot read {file}: {error.strerror or error}") from None
    except ValueError as error:  # not UTF-8, or not TOML
        raise OptionError(f"{file} is not TOML: {error}") from None
    options = {name.replace("-", "_"): value for name, value in body.items()}
    if unknown := [_unknown(name) for name in options if name not in _NAMES]:
        raise OptionError(f"{file}: " + "; ".join(unknown))
    # Types are checked here, so that an error names this file and not the flags.
    checked = _decoded({"data": "", **options}, str(file))
    values = {name: getattr(checked, name) for name in options}
    if checked.data:
        values["data"] = locate(checked.data, file.parent)
    return values


def to_toml(options: TrainOptions) -> str:
    """`options` as TOML; what is None is left out. Raises MissingExtraError without tomli_w."""
    try:
        import tomli_w
    except ImportError:
        raise MissingExtraError("tomli_w", "train", "training") from None
    body = {name: value for name, value in asdict(options).items() if value is not None}
    return tomli_w.dumps(body)


def differences(old: TrainOptions, new: TrainOptions) -> list[str]:
    """Every option in which the two differ, as a person reads it."""
    return [
        f"{flag(name)} was {getattr(old, name)!r} and is {getattr(new, name)!r}"
        for name in _NAMES
        if getattr(old, name) != getattr(new, name)
    ]


def locate(data: str, folder: Path) -> str:
    """`data` as any working folder understands it: an embedded name, or an absolute path.

    A bare name that is neither stays as it is: whoever opens it knows what is near to it.
    """
    path = folder / data
    if known(data) or (path.name == data and folder == Path.cwd() and not path.exists()):
        return data
    return str(path.absolute())


def _decoded(values: Mapping[str, Any], where: str) -> TrainOptions:
    listed = {
        name: [value] if name in _COLUMN_LISTS and isinstance(value, str) else value
        for name, value in values.items()
    }
    try:
        return decode(TrainOptions, listed, where)
    except ContractError as error:
        raise OptionError(str(error)) from None


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, _NAMES, n=1)
    nearest = f"did you mean {close[0]}?" if close else f"there are {', '.join(_NAMES)}"
    return f"there is no option {name!r}: {nearest}"
