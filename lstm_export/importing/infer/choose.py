"""Which of a checkpoint's arrays are the model: optimizers, averages and counters stand beside it.

Names are dotted paths, as a reader flattens nested mappings. What belongs to an optimizer is known
by the structure that torch.optim.Optimizer.state_dict gives it (`state.<number>.<moment>`), an
average of the weights by having the same names and shapes as another mapping. What stands beside a
model and may be a part of it is unused, or a question, until `--key` says which is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lstm_export.errors import OptionError
from lstm_export.importing.raw import RawFile

RECURRENT_LEAF = re.compile(
    r"(?P<kind>weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)(?:_l(?P<layer>\d+))?"
    r"(?P<reverse>_reverse)?"
)
_RECURRENT_NAME = re.compile(r"weight_hh(_l\d+)?(_reverse)?(_raw|_orig|_g|_v|\.original\d?)?$")
_MOMENT = re.compile(
    r"(^|\.)state\.\d+\.(step|exp_avg|exp_avg_sq|max_exp_avg_sq|exp_inf|momentum_buffer|sum"
    r"|square_avg|grad_avg|acc_delta|mu_product|prev|step_size|ax|mu|eta)$"
)
_TRAINING = re.compile(
    r"(.*_)?(optim(izers?)?|opt|schedulers?|scaler|amp|callbacks|loops)(_states?(_dict)?)?|rng.*"
)
_AVERAGE = re.compile(r"(.*_)?(ema|swa|shadow|averaged?)(_.*)?")
_COUNTER = re.compile(
    r"(.*_)?(epochs?|steps?|iter(ation)?s?|loss(es)?|lr|best(_.*)?|n_averaged|accuracy|acc|score"
    r"|num_updates|decay|patience|seed)"
)


WHOLE = "."
"""The key of everything in the file as one model."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """`names` maps the names in the file to those in the model; the rest says what was left."""

    names: Mapping[str, str]
    ignored: Mapping[str, str]
    unused: Mapping[str, str]
    notes: tuple[str, ...]
    roots: tuple[str, ...] = field(default=())

    def within(self, path: str) -> str:
        """The dotted `path` of a declared value as the model has it: without the roots."""
        for root in self.roots:
            path = path.removeprefix(f"{root}.")
        return path


def choose(raw: RawFile, key: str | None) -> Chosen:
    """The arrays of one model, of all of them where `key` is `WHOLE`.

    Raises OptionError if there are several, or none under `key`.
    """
    names = {name: name for name in raw.tensors}
    ignored: dict[str, str] = {}
    unused: dict[str, str] = {}
    notes: list[str] = []
    roots: list[str] = []
    asked = key is not None
    if key is None:
        key = _only_model(raw, ignored, notes)
    elif key == WHOLE:
        key = None
    elif not any(name.startswith(f"{key}.") for name in names):
        raise OptionError(
            f"--key {key}: {raw.path} has no such part; it has {_listed(_parts(raw, names))}"
        )
    if key is not None:
        for name in list(names):
            if name.startswith(f"{key}."):
                names[name] = name[len(key) + 1 :]
                continue
            del names[name]
            first = name.partition(".")[0]
            if name in ignored:
                continue
            if (why := _no_part(raw, name, name)) is not None:
                ignored[name] = why
            elif "." not in name:
                unused[name] = f"stands beside {key}, not in it"
            elif asked or _AVERAGE.fullmatch(first):
                ignored[name] = f"belongs to {first}; the model was read from {key}"
            else:
                unused[name] = (
                    f"belongs to {first}: --key {key} leaves it out, --key {WHOLE} reads all as one"
                )
        roots.append(key)
        notes.append(f"the model was read from {key}")
    while True:
        _leave_out(raw, names, ignored, notes, roots)
        common = _wrapper(names.values())
        if common is None:
            break
        roots.append(common)
        notes.append(f"the model was read from {'.'.join(roots)}")
        for name, inner in names.items():
            names[name] = inner.removeprefix(f"{common}.")
    return Chosen(names, ignored, unused, tuple(dict.fromkeys(notes)), tuple(roots))


def _parts(raw: RawFile, names: Iterable[str]) -> list[str]:
    return list(raw.keys or dict.fromkeys(n.partition(".")[0] for n in names if "." in n))


def _only_model(raw: RawFile, ignored: dict[str, str], notes: list[str]) -> str | None:
    """The key of the one model in the file; None if the file is not several mappings."""
    inside = {
        key: {
            n[len(key) + 1 :]: raw.tensors[n].shape for n in raw.tensors if n.startswith(f"{key}.")
        }
        for key in raw.keys or _mappings(raw.tensors)
    }
    inside = {
        key: names
        for key, names in inside.items()
        if names and not all(_is_training(f"{key}.{name}") for name in names)
    }
    for key in [key for key in inside if _AVERAGE.fullmatch(key)]:
        others = [other for other in inside if other != key and not _AVERAGE.fullmatch(other)]
        twin = next((o for o in others if _same(inside[key], inside[o])), None)
        if twin is not None:
            why = f"a copy of {twin}, as an average or a target of training keeps it"
            ignored.update({f"{key}.{name}": why for name in inside[key]})
            notes.append(f"{key} was ignored: {why}; --key {key} reads it instead")
            del inside[key]
    if not inside:
        return None
    if len(inside) == 1:
        return next(iter(inside))
    recurrent = [key for key, names in inside.items() if any(map(_RECURRENT_NAME.search, names))]
    if not recurrent:
        return None
    first = recurrent[0]
    if len(recurrent) == 1 and _WRAPPER.fullmatch(first):
        return first
    raise OptionError(
        f"{raw.path} holds {len(inside)} models: {_listed(inside)}; choose one, for example "
        f"--key {first}, or read all of them as the parts of one with --key {WHOLE}"
    )


def _mappings(names: Iterable[str]) -> list[str]:
    """The one state dict in a file whose other arrays stand beside it, each by itself."""
    firsts = dict.fromkeys(name.partition(".")[0] for name in names if "." in name)
    alone = all("." in name for name in names)
    return [
        first for first in firsts if len(firsts) == 1 and not alone and _WRAPPER.fullmatch(first)
    ]


def _leave_out(
    raw: RawFile,
    names: dict[str, str],
    ignored: dict[str, str],
    notes: list[str],
    roots: list[str],
) -> None:
    """Takes from `names` what no prediction reads, and says why in `ignored`."""
    for name, inner in list(names.items()):
        why = _no_part(raw, name, inner)
        if why is not None:
            ignored[name] = why
            del names[name]
    parts: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, inner in names.items():
        first, dot, rest = inner.partition(".")
        if dot:
            parts.setdefault(first, {})[rest] = raw.tensors[name].shape
    for part in [part for part in parts if _AVERAGE.fullmatch(part)]:
        others = {k: v for k, v in parts.items() if k != part and not _AVERAGE.fullmatch(k)}
        twin = next((k for k, v in others.items() if _same(parts[part], v)), None)
        numbered = bool(others) and all(r.split(".")[-1].isdigit() for r in parts[part])
        if twin is None and not numbered:
            continue
        why = f"a copy of {twin or 'the weights'}, as an average or a target of training keeps it"
        path = ".".join((*roots, part))
        notes.append(f"{path} was ignored: {why}; --key {path} reads it instead")
        for name, inner in list(names.items()):
            if inner.startswith(f"{part}."):
                ignored[name] = why
                del names[name]


def _no_part(raw: RawFile, name: str, inner: str) -> str | None:
    """Why the array `name`, called `inner` where it stands, is none of a model's; None if it may
    be one."""
    array = raw.tensors[name]
    if _is_training(inner):
        return "state of the training, not of the model"
    if "_flat_weights" in inner.split("."):
        return "a copy of the weights in another order, for cuDNN"
    if "." not in inner and array.size <= 1 and _COUNTER.fullmatch(inner):
        return "a number about the training"
    if "." not in inner and array.dtype.name == "uint8" and array.ndim == 1:
        return "bytes, as the state of a random generator is kept"
    return None


def _is_training(name: str) -> bool:
    first, dot, _ = name.partition(".")
    return bool(_MOMENT.search(name)) or bool(dot and _TRAINING.fullmatch(first))


_WRAPPER = re.compile(
    r"(.*_)?(state_dict|state|weights|params|checkpoint|ckpt)|model|net|network|module"
)


def _wrapper(names: Iterable[str]) -> str | None:
    """The first part of all `names`, if it is one that holds a state dict rather than a layer."""
    firsts = {name.partition(".")[0] if "." in name else "" for name in names}
    first = next(iter(firsts)) if len(firsts) == 1 else ""
    return first if first and _WRAPPER.fullmatch(first) else None


def _same(one: Mapping[str, tuple[int, ...]], other: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether two mappings hold the same names and shapes, up to a prefix and a counter."""

    def bare(names: Mapping[str, tuple[int, ...]]) -> set[tuple[str, tuple[int, ...]]]:
        kept = {n: s for n, s in names.items() if "." in n or not _COUNTER.fullmatch(n)}
        while len({n.partition(".")[0] for n in kept}) == 1 and all("." in n for n in kept):
            kept = {n.partition(".")[2]: s for n, s in kept.items()}
        return set(kept.items())

    return bare(one) == bare(other)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "no parts, but arrays alone"
