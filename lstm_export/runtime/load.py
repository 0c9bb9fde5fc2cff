"""`load`: a bundle or an ONNX file as a model that runs. Needs NumPy and onnxruntime alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.read import Bundle, open_bundle
from lstm_export.contract import METADATA_KEY, Contract
from lstm_export.errors import BundleError, ContractError
from lstm_export.runtime.feed import OnNonfinite, checked_policy
from lstm_export.runtime.forecast_model import ForecastModel, StreamGraph
from lstm_export.runtime.session import Session, threads_for

# A first prediction pays for every module that is imported: what a forecaster in a bundle does not
# need is imported where it is used.
if TYPE_CHECKING:
    from pathlib import Path

    from lstm_export.runtime.graph_model import GraphModel


def load(
    path: str | Path,
    *,
    providers: Sequence[str] | None = None,
    intra_op_num_threads: int | None = None,
    on_nonfinite: OnNonfinite = "raise",
) -> ForecastModel | GraphModel:
    """The model at `path`: a bundle folder, or an ONNX file.

    A bundle's checksums are compared before anything runs. An ONNX file of ours works by the
    contract inside it; any other is a `GraphModel`. `providers` are onnxruntime's execution
    providers (default: the CPU's). `intra_op_num_threads` None chooses by the model's size, 0
    leaves it to onnxruntime. `on_nonfinite="pass"` lets NaN and infinities through to
    onnxruntime, whose LSTM may answer them with finite numbers.

    Raises BundleError, ChecksumError, NewerFormatError or ContractError if the file cannot be
    used, OptionError for a provider or number of threads that makes no sense.
    """
    policy = checked_policy(on_nonfinite)
    location = os.fspath(path)
    if os.path.isdir(location):
        return _from_bundle(open_bundle(location), providers, intra_op_num_threads, policy)
    if not os.path.exists(location):
        raise BundleError(f"there is no bundle or ONNX file at {location}")
    return _from_file(location, providers, intra_op_num_threads, policy)


def load_forecaster(
    path: str | Path,
    *,
    providers: Sequence[str] | None = None,
    intra_op_num_threads: int | None = None,
    on_nonfinite: OnNonfinite = "raise",
) -> ForecastModel:
    """`load` for a caller who needs a forecaster; any other model raises BundleError."""
    model = load(
        path,
        providers=providers,
        intra_op_num_threads=intra_op_num_threads,
        on_nonfinite=on_nonfinite,
    )
    if not isinstance(model, ForecastModel):
        raise BundleError(f"{path} is no forecaster: it says nothing of features and a window")
    return model


def _from_bundle(
    bundle: Bundle,
    providers: Sequence[str] | None,
    threads: int | None,
    policy: OnNonfinite,
) -> ForecastModel | GraphModel:
    manifest = bundle.manifest
    contract = manifest.contract(LAYOUT.model)
    terms = contract.forecast
    if threads is None and terms is not None:
        threads = threads_for(terms.recurrent.hidden_size)

    def open_graph(name: str) -> Session:
        return Session(
            _model_of(bundle, name),
            bundle.where(name),
            providers=providers,
            intra_op_num_threads=threads,
        )

    def open_stream() -> StreamGraph:
        return open_graph(LAYOUT.stream), manifest.contract(LAYOUT.stream).graph

    session = open_graph(LAYOUT.model)
    if terms is None:
        from lstm_export.runtime.graph_model import GraphModel

        return GraphModel(contract, session, on_nonfinite=policy)
    streams = LAYOUT.stream in manifest.graphs
    return ForecastModel(
        contract,
        terms,
        session,
        on_nonfinite=policy,
        open_stream=open_stream if streams else None,
    )


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
    path: str, providers: Sequence[str] | None, threads: int | None, policy: OnNonfinite
) -> ForecastModel | GraphModel:
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
    terms = contract.forecast
    if threads is None and terms is not None:
        threads = threads_for(terms.recurrent.hidden_size)
    model.require_external(path)
    if model.external_files:
        # onnxruntime looks for them beside the path that it is given.
        content: bytes | str = os.path.realpath(path)
    else:
        with open(path, "rb") as file:
            content = file.read()
    session = Session(
        content,
        path,
        providers=providers,
        intra_op_num_threads=threads,
    )
    if terms is None or len(contract.graph.inputs) > 1:  # a stream graph takes its state by name
        from lstm_export.runtime.graph_model import GraphModel

        return GraphModel(contract, session, on_nonfinite=policy)
    return ForecastModel(contract, terms, session, on_nonfinite=policy, open_stream=None)


def _shapes(contract: Contract) -> str:
    return "; ".join(map(str, (*contract.graph.inputs, *contract.graph.outputs)))
