"""What DataParallel, torch.compile, Lightning and FSDP put before names, taken off again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# No module calls an attribute so; they stand in the middle of names as well as before them.
_ANYWHERE = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")
_WRAPPERS = ("module", "model", "net", "network", "state_dict", "weights")


@dataclass(frozen=True, slots=True)
class CleanNames:
    """`names` maps the names in the file to those without what wrappers added."""

    names: Mapping[str, str]
    prefix: str
    notes: tuple[str, ...]

    def renamed(self, path: str) -> str:
        """The dotted `path` of something else in the same file, cleaned in the same way."""
        return _without_parts(path).removeprefix(self.prefix)


def clean_names(names: Mapping[str, str]) -> CleanNames:
    """`names`, file to model, without wrappers and without a prefix that all of them share.

    The last part before a tensor's own name stays (`lstm.weight_ih_l0`), unless it is a wrapper's.
    """
    notes = []
    shorter = {old: _without_parts(name) for old, name in names.items()}
    if len(set(shorter.values())) < len(shorter):
        shorter = dict(names)
    elif list(shorter.values()) != list(names.values()):
        parts = sorted({p for n in names.values() for p in n.split(".") if p in _ANYWHERE})
        notes.append(f"{', '.join(parts)} taken out of the names")
    prefix = _common(shorter.values())
    if prefix:
        notes.append(f"the prefix {prefix.removesuffix('.')} taken off the names")
    return CleanNames(
        {old: name[len(prefix) :] for old, name in shorter.items()}, prefix, tuple(notes)
    )


def _without_parts(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _ANYWHERE)


def _common(names: Iterable[str]) -> str:
    """The longest run of parts, with a dot at its end, that all names begin with."""
    split = [name.split(".") for name in names]
    prefix = ""
    while split and all(len(parts) > 1 for parts in split):
        firsts = {parts[0] for parts in split}
        if len(firsts) > 1:
            break
        first = firsts.pop()
        if first not in _WRAPPERS and any(_is_last(parts) for parts in split):
            break
        prefix += f"{first}."
        split = [parts[1:] for parts in split]
    return prefix


def _is_last(parts: list[str]) -> bool:
    """Whether parts[0] is the module that holds the tensor, rather than one around it."""
    return len(parts) == 2 or parts[1] == "parametrizations"
