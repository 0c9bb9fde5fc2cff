"""`load`: a bundle or an ONNX file as a model that runs. Needs NumPy and onnxruntime alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.read import Bundle, open_bundle, read_file
from lstm_export.contract import METADATA_KEY, Contract, Intervals, Sequences
from lstm_export.errors import BundleError, ContractError, OptionError
from lstm_export.runtime.cache_folder import tuned_folder
from lstm_export.runtime.feed import OnNonfinite, checked_policy
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.graphs import Graphs
from lstm_export.runtime.session import CPU, available
from lstm_export.runtime.settings import Settings, checked, work_in

# A first prediction pays for every module that is imported: what a forecaster in a bundle does not
# need is imported where it is used.
if TYPE_CHECKING:
    from pathlib import Path

    from lstm_export.runtime.answer_model import AnswerModel
    from lstm_export.runtime.graph_model import GraphModel

    Loaded = ForecastModel | AnswerModel | GraphModel

Chosen = Settings | Literal["rule"] | None


def load(
    path: str | Path,
    *,
    providers: Sequence[str] | None = None,
    settings: Settings | Literal["rule"] | None = None,
    intra_op_num_threads: int | None = None,
    on_nonfinite: OnNonfinite = "raise",
) -> Loaded:
    """The model at `path`, a bundle folder or an ONNX file, by its task: a `ForecastModel`; a
    `LabelModel` that classifies or tags, an `AnswerModel` that gives numbers; else a `GraphModel`.

    A bundle's checksums are compared before anything runs. An ONNX file of ours works by the
    contract inside it; any other is a `GraphModel`. `providers` are onnxruntime's execution
    providers, first choice first (default: the CPU's). `settings` say how it runs; what they
    leave open is chosen by the rule of `runtime/settings.py`, "rule" leaves everything to it. None
    takes what `lstm-export bench --tune` measured for the model on this machine, else the rule.
    `intra_op_num_threads` is short for that one setting; 0 leaves it to onnxruntime.
    `on_nonfinite="pass"` lets NaN and infinities through to onnxruntime, whose LSTM may answer
    them with finite numbers.

    Raises BundleError, ChecksumError, NewerFormatError or ContractError if the file cannot be
    used, OptionError for a provider or number of threads that makes no sense.
    """
    policy = checked_policy(on_nonfinite)
    chosen = _settings(settings, intra_op_num_threads)
    location = os.fspath(path)
    if os.path.isdir(location):
        return _from_bundle(open_bundle(location), providers, chosen, policy)
    if not os.path.exists(location):
        raise BundleError(f"there is no bundle or ONNX file at {location}")
    return _from_file(location, providers, chosen, policy)


def _settings(settings: Chosen, threads: int | None) -> Settings | None:
    if threads is None:
        if settings is None:
            return None
        if settings == "rule":
            return Settings()
        if not isinstance(settings, Settings):
            raise OptionError(f'settings must be Settings, "rule" or None, got {settings!r}')
        return checked(settings)
    if settings is not None:
        raise OptionError("give intra_op_num_threads inside settings, or alone")
    return checked(Settings(intra_op_num_threads=threads))


def _measured(
    model: Manifest | str, providers: tuple[str, ...]
) -> Settings | Callable[[int, int], Settings]:
    """What was measured for a bundle, or for the ONNX file at a path, on the CPU; else the rule."""
    if providers != (CPU,) or not os.path.isdir(tuned_folder()):
        return Settings()
    from lstm_export.runtime.tuned import tuned

    return tuned(model) or Settings()


def load_forecaster(
    path: str | Path,
    *,
    providers: Sequence[str] | None = None,
    settings: Settings | Literal["rule"] | None = None,
    intra_op_num_threads: int | None = None,
    on_nonfinite: OnNonfinite = "raise",
) -> ForecastModel:
    """`load` for a caller who needs a forecaster; any other model raises BundleError."""
    model = load(
        path,
        providers=providers,
        settings=settings,
        intra_op_num_threads=intra_op_num_threads,
        on_nonfinite=on_nonfinite,
    )
    if not isinstance(model, ForecastModel):
        raise BundleError(f"{path} is no forecaster: it says nothing of features and a window")
    return model


def _from_bundle(
    bundle: Bundle,
    providers: Sequence[str] | None,
    settings: Settings | None,
    policy: OnNonfinite,
) -> Loaded:
    manifest = bundle.manifest
    contract = manifest.contract(LAYOUT.model)
    wanted = available(providers)
    graphs = Graphs(
        manifest.graphs,
        lambda name: _model_of(bundle, name),
        bundle.where,
        providers=wanted,
        settings=settings or _measured(manifest, wanted),
        work=work_in(contract, manifest.files[LAYOUT.model].bytes // 4),
        independent_rows=manifest.rows_are_independent,
        stream_start=manifest.stream_start,
        notes=manifest.provenance.notes,
    )
    return _model(contract, graphs, policy, manifest.intervals)


def _model(
    contract: Contract, graphs: Graphs, policy: OnNonfinite, intervals: Intervals | None = None
) -> Loaded:
    terms = contract.forecast
    whole = len(contract.graph.inputs) == 1  # a stream graph takes its state by name
    if contract.sequences is not None and whole:
        return _of_sequences(contract, contract.sequences, graphs, policy)
    if terms is None or not whole:
        from lstm_export.runtime.graph_model import GraphModel

        return GraphModel(contract, graphs, on_nonfinite=policy)
    return ForecastModel(contract, terms, graphs, on_nonfinite=policy, intervals=intervals)


def _of_sequences(
    contract: Contract, terms: Sequences, graphs: Graphs, policy: OnNonfinite
) -> AnswerModel:
    if terms.classes:
        from lstm_export.runtime.label_model import LabelModel

        return LabelModel(contract, terms, graphs, on_nonfinite=policy)
    from lstm_export.runtime.answer_model import AnswerModel

    return AnswerModel(contract, terms, graphs, on_nonfinite=policy)


def _model_of(bundle: Bundle, name: str) -> bytes | str:
    """The checked bytes of a graph; its path where weights lie in files beside it."""
    body = bundle.read(name)
    # The key under which a tensor names another file. onnxruntime would look for that one in the
    # working directory; to read every graph in order to find it costs the start too much.
    if b"location" not in body:
        return body
    from lstm_export.bundle.onnx_file import parse_onnx

    where = bundle.where(name)
    model = parse_onnx(body, where)
    for other in model.external_files:
        bundle.check(other)
    model.require_external(where)
    return where if model.external_files else body


def _from_file(
    path: str, providers: Sequence[str] | None, settings: Settings | None, policy: OnNonfinite
) -> Loaded:
    from lstm_export.bundle.onnx_file import read_onnx

    model = read_onnx(path)
    text = model.metadata_props.get(METADATA_KEY)
    if text is None:
        contract = Contract(task="module", graph=model.spec)
    else:
        contract = Contract.from_json(text, path)
        if contract.graph != model.spec:
            raise ContractError(
                f"{path}: the contract inside it does not fit its graph: it promises "
                f"{_shapes(contract)}, and the graph has {_shapes(Contract('module', model.spec))}"
            )
    model.require_external(path)
    # onnxruntime looks for weights in other files beside the path that it is given.
    external = os.path.realpath(path) if model.external_files else None
    wanted = available(providers)
    graphs = Graphs(
        {LAYOUT.model: contract.graph},
        lambda _: external or read_file(path),
        lambda _: path,
        providers=wanted,
        settings=settings or _measured(path, wanted),
        work=work_in(contract, os.path.getsize(path) // 4),
        independent_rows=contract.task != "module",
    )
    return _model(contract, graphs, policy)


def _shapes(contract: Contract) -> str:
    return "; ".join(map(str, (*contract.graph.inputs, *contract.graph.outputs)))
