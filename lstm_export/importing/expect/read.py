"""The files given by `--expect` as an `Expected`: one .npz, or a pair of CSV or .npy files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lstm_export.errors import CheckpointError, InputError, OptionError
from lstm_export.importing.description import Description
from lstm_export.importing.expect.csv_file import read_csv
from lstm_export.importing.expect.expected import Expected, Values
from lstm_export.importing.expect.fitting import fitted, sizes
from lstm_export.importing.expect.lengths import counted
from lstm_export.importing.expect.names import Matched, matched
from lstm_export.importing.expect.stored import Stored, of_dtype
from lstm_export.importing.formats import npz_file
from lstm_export.importing.formats.npy_array import MAGIC as NPY
from lstm_export.importing.formats.npy_array import npy_array
from lstm_export.importing.stored_numbers import widened


def read_expected(paths: Sequence[Path], description: Description) -> Expected:
    """Inputs and outputs for `description`: an .npz of both, or two files, inputs first.

    Raises OptionError for another number of files, InputError for files that cannot be read, hold
    no finite numbers, or whose arrays are not those of the description.
    """
    if len(paths) == 1:
        where = str(paths[0])
        found = matched(_npz(paths[0]), description, where)
    elif len(paths) == 2:
        where = f"{paths[0]} and {paths[1]}"
        found = _pair(_table(paths[0]), _table(paths[1]), description, where)
    else:
        raise OptionError(
            f"--expect: expected one .npz, or two files, the inputs' and the outputs'; "
            f"got {len(paths)}"
        )
    return _expected(found, description, where)


def _expected(found: Matched, description: Description, where: str) -> Expected:
    inputs, given, notes = dict[str, Values](), dict[str, Values](), list(found.notes)
    for each in description.inputs:
        if each.name in found.inputs:
            given[each.name] = found.inputs[each.name].values
            inputs[each.name], note = fitted(each, given[each.name], where)
            notes += [note] if note else []
    for each in description.inputs:
        if each.name not in inputs:
            inputs[each.name] = given[each.name] = _lengths(inputs, description, each.name, where)
            notes.append(
                f"{where} has no {each.name}: counted from the zeros at the sequences' ends as "
                f"{_short(inputs[each.name])}"
            )
    sizes({each.name: (each.axes, inputs[each.name]) for each in description.inputs}, where)
    notes += [
        f"the array {name} {stored.values.shape} was not used: the layers take no such input"
        for name, stored in found.extra.items()
    ]
    for stored in (*found.inputs.values(), *found.outputs.values()):
        notes += stored.notes
    return Expected(
        where,
        inputs,
        given,
        {name: stored.values.astype(float) for name, stored in found.outputs.items()},
        {name: stored.rounding for name, stored in found.outputs.items()},
        {name: stored.values for name, stored in found.extra.items()},
        tuple(notes),
    )


def _lengths(
    inputs: Mapping[str, Values], description: Description, name: str, where: str
) -> Values:
    for each in description.inputs:
        if each.name in inputs and (found := counted(each, inputs[each.name])) is not None:
            return found
    raise InputError(f"{where}: expected an array {name}, the length of each sequence")


def _short(values: Values) -> str:
    shown = ", ".join(map(str, values[:8].tolist()))
    return f"[{shown}{', …' * (len(values) > 8)}]"


def _pair(inputs: Stored, outputs: Stored, description: Description, where: str) -> Matched:
    names = [each.name for each in description.inputs if each.kind != "lengths"]
    if len(names) != 1 or len(description.outputs) != 1:
        raise InputError(
            f"{where}: a pair of files is for one input and one output; the model has the inputs "
            f"{', '.join(each.name for each in description.inputs)} and the outputs "
            f"{', '.join(description.outputs)}: save them by these names with numpy.savez"
        )
    return Matched({names[0]: inputs}, {description.outputs[0]: outputs}, {}, ())


def _npz(path: Path) -> dict[str, Stored]:
    body = _bytes(path, 8)
    if not npz_file.matches(path, body):
        raise InputError(
            f"{path}: expected an .npz with inputs and outputs (numpy.savez); for CSV or .npy "
            "files give --expect twice, the inputs' first"
        )
    try:
        file = npz_file.read(path)
    except CheckpointError as error:
        raise InputError(str(error)) from None
    except MemoryError:
        raise InputError(f"{path} does not fit into memory") from None
    return {
        name: of_dtype(array, file.stored[name], f"{path}: {name}")
        for name, array in file.tensors.items()
    }


def _table(path: Path) -> Stored:
    body = _bytes(path)
    if not body.startswith(NPY):
        return read_csv(path, body)
    try:
        array = npy_array(body, str(path))
    except CheckpointError as error:
        raise InputError(str(error)) from None
    return of_dtype(widened(array), array.dtype.name, str(path))


def _bytes(path: Path, most: int = -1) -> bytes:
    if not path.is_file():
        raise InputError(f"{path}: expected a file of inputs and outputs, there is none")
    try:
        with path.open("rb") as stream:
            return stream.read(most)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise InputError(f"{path} does not fit into memory") from None
