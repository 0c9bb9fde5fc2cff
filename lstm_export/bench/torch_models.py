"""The model of a bundle in torch, to time beside it: given, rebuilt, or its layers alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_export.bench.graph_layers import recurrent_layers, torch_stacks
from lstm_export.bench.inputs import Feeds
from lstm_export.bench.subject import Subject
from lstm_export.checkpoint import is_run, read_checkpoint
from lstm_export.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lstm_export.checkpoint import Description
    from lstm_export.contract import Forecast, Sequences


@dataclass(frozen=True, slots=True)
class TorchModel:
    """`module` is called as the graph is; `what` says which it is, where it is not the model."""

    module: nn.Module
    what: str
    exact: bool
    """Whether its answers are those of the bundle."""
    layers_alone: bool = False

    def arguments(self, feeds: Feeds, batch: int, length: int) -> tuple[Tensor, ...]:
        """`feeds` as tensors, in forward's order; layers alone get rows of their own."""
        import torch

        if self.layers_alone:
            width: Any = self.module[0].input_size  # type: ignore[index]
            return (torch.randn(batch, length, width),)
        tensors = {name: torch.from_numpy(value) for name, value in feeds.items()}
        parameters = inspect.signature(self.module.forward).parameters
        if set(tensors) <= set(parameters):
            return tuple(tensors[name] for name in parameters if name in tensors)
        return tuple(tensors.values())

    def call(self, feeds: Feeds, batch: int, length: int) -> Callable[[], Any]:
        """A call on what `arguments` gives."""
        values = self.arguments(feeds, batch, length)
        return lambda: self.module(*values)


def torch_model(subject: Subject, against: str | None) -> TorchModel | str:
    """The model to time in torch, or why there is none.

    `against` is a run folder or file.py:name. Raises OptionError or what reading them raises.
    """
    try:
        import torch
    except ImportError:
        if against is not None:
            raise OptionError(f"--against {against} needs torch, which is not installed") from None
        return "torch is not installed: pip install 'lstm-export[train]'"
    if against is not None:
        return _given(subject, against)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = _of_terms(subject)
    if module is not None:
        return TorchModel(module.eval(), "same sizes, random weights", exact=False)
    layers = recurrent_layers(subject.model)
    if not layers:
        return "the graph holds no LSTM, GRU or RNN with constant weights: name it with --against"
    return TorchModel(_alone(torch_stacks(layers)), "recurrent layers alone", False, True)


def _of_terms(subject: Subject) -> nn.Module | None:
    """A model of the same terms with random weights, where there are terms."""
    if subject.terms is not None:
        from lstm_export.nn.forecaster import Forecaster

        return Forecaster(subject.terms)
    if subject.sequences is not None:
        from lstm_export.nn.sequence_model import SequenceModel

        return SequenceModel(subject.sequences)
    return None


def _refuse_another(subject: Subject, against: str, run: Description) -> None:
    """Raises OptionError for a run that takes or gives something else than the bundle does."""
    own, other = _told(subject.terms, subject.sequences), _told(run.forecast, run.sequences)
    if own and own != other:
        raise OptionError(
            f"--against {against}: that run takes and gives {other}, and {subject.path} {own}: "
            "name the run that the bundle was exported from"
        )


def _told(forecast: Forecast | None, sequences: Sequences | None) -> str:
    """What goes in and comes out, in words; empty where there are no terms."""
    if forecast is not None:
        names = [column.name for column in forecast.features]
        return f"{', '.join(names)} and a forecast of {forecast.window.horizon}"
    if sequences is None:
        return ""
    names = [column.name for column in sequences.features]
    reads = "texts" if sequences.vocabulary else ", ".join(names)
    each = " for every step" if sequences.pooling is None else ""
    return f"{reads} and {', '.join(sequences.answer)}{each} ({sequences.width} numbers)"


def _given(subject: Subject, against: str) -> TorchModel:
    path = Path(against)
    if is_run(path):
        from lstm_export.nn.build import build, build_sequence_model

        checkpoint = read_checkpoint(path)
        _refuse_another(subject, against, checkpoint.description)
        forecasts = checkpoint.description.task == "forecast"
        module = build(checkpoint) if forecasts else build_sequence_model(checkpoint)
        return TorchModel(module, "", exact=True)
    if path.is_dir():
        raise OptionError(f"--against {against}: that folder is no training run")
    from lstm_export.exporting.source.factory import load_factory
    from lstm_export.exporting.source.spelling import is_factory

    if not is_factory(against):
        raise OptionError(f"--against {against}: expected a run folder, or model.py:name")
    return TorchModel(load_factory(against).eval(), "", exact=True)


def _alone(stacks: Sequence[nn.RNNBase]) -> nn.Module:
    """Stacks one after the other; one whose input is of another width gets zeros of that width."""
    import torch
    from torch import nn

    class Alone(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            for stack in self:
                width: Any = stack.input_size
                if x.shape[-1] != width:
                    x = torch.zeros(*x.shape[:2], width)
                x, _ = stack(x)
            return x

    return Alone(*stacks)
