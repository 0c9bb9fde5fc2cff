"""The oracle against torch.nn in float64, over everything that torch's layers can be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lstm_export.contract import Recurrent
from lstm_export.errors import ContractError, InputError
from lstm_export.oracle.layer import sigmoid
from lstm_export.oracle.recurrent import run

CELLS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
TOLERANCE = 1e-12


def torch_layers(spec: Recurrent, bias: bool = True, seed: int = 0) -> torch.nn.RNNBase:
    torch.manual_seed(seed)
    projection = {"proj_size": spec.proj_size} if spec.proj_size else {}
    return CELLS[spec.cell](
        spec.input_size,
        spec.hidden_size,
        spec.num_layers,
        bias=bias,
        batch_first=True,
        bidirectional=spec.bidirectional,
        dtype=torch.float64,
        **projection,
    )


def weights_of(layers: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy() for name, tensor in layers.state_dict().items()}


MATRIX = [
    (cell, num_layers, bidirectional, proj_size, bias)
    for cell, num_layers, bidirectional, proj_size, bias in itertools.product(
        CELLS, (1, 2, 3), (False, True), (0, 3), (True, False)
    )
    if not (proj_size and cell != "lstm")
]


@pytest.mark.parametrize(("cell", "num_layers", "bidirectional", "proj_size", "bias"), MATRIX)
def test_every_configuration_gives_what_torch_gives(
    cell: str, num_layers: int, bidirectional: bool, proj_size: int, bias: bool
) -> None:
    spec = Recurrent(cell, 4, 5, num_layers, bidirectional, proj_size)
    layers = torch_layers(spec, bias)
    rows = num_layers * spec.num_directions
    rng = np.random.default_rng(1)
    for batch, length, scale in itertools.product((1, 3), (1, 2, 17), (1e-3, 1.0, 50.0)):
        x = scale * rng.standard_normal((batch, length, 4))
        h = rng.standard_normal((rows, batch, spec.state_size))
        c = rng.standard_normal((rows, batch, 5))
        for initial in (None, (h, c)):
            given = () if initial is None else initial[: 2 if cell == "lstm" else 1]
            state = tuple(torch.from_numpy(s) for s in given)
            argument = (state if cell == "lstm" else state[0]) if state else None
            with torch.no_grad():
                y, final = layers(torch.from_numpy(x), argument)
            expected = (y, *final) if cell == "lstm" else (y, final)
            got = run(spec, weights_of(layers), x, *given)
            assert (got[2] is None) == (cell != "lstm")
            for ours, theirs in zip([g for g in got if g is not None], expected, strict=True):
                assert ours.shape == tuple(theirs.shape)
                np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("cell", CELLS)
def test_a_chunked_run_is_one_run(cell: str) -> None:
    spec = Recurrent(cell, 2, 6, 2)
    weights = weights_of(torch_layers(spec))
    x = np.random.default_rng(0).standard_normal((3, 20, 2))
    whole, *final = run(spec, weights, x)
    first, *state = run(spec, weights, x[:, :7])
    second, *last = run(spec, weights, x[:, 7:], *[s for s in state if s is not None])
    np.testing.assert_allclose(np.concatenate([first, second], 1), whole, rtol=0, atol=1e-14)
    for a, b in zip(last, final, strict=True):
        assert (a is None and b is None) or np.allclose(a, b, rtol=0, atol=1e-14)


def test_rows_of_a_batch_do_not_touch_each_other() -> None:
    spec = Recurrent("lstm", 2, 4, 2, bidirectional=True)
    weights = weights_of(torch_layers(spec))
    x = np.random.default_rng(0).standard_normal((5, 9, 2))
    together = run(spec, weights, x)[0]
    alone = np.concatenate([run(spec, weights, x[i : i + 1])[0] for i in range(5)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-14)


def test_float32_comes_in_exactly() -> None:
    spec = Recurrent("gru", 1, 3)
    weights = weights_of(torch_layers(spec))
    single = {name: w.astype(np.float32) for name, w in weights.items()}
    double = {name: w.astype(np.float64) for name, w in single.items()}
    x = np.full((1, 4, 1), 0.1, dtype=np.float32)
    y = run(spec, single, x)[0]
    assert y.dtype == np.float64
    assert np.array_equal(y, run(spec, double, x.astype(np.float64))[0])


def test_the_sigmoid_neither_overflows_nor_loses_small_values() -> None:
    with np.errstate(all="raise", under="ignore"):
        values = sigmoid(np.array([-1e4, -700.0, -40.0, 0.0, 40.0, 1e4]))
    assert values[0] == 0
    assert values[-1] == 1
    assert values[3] == 0.5
    np.testing.assert_allclose(values[1:3], np.exp([-700.0, -40.0]), rtol=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("weight_hh_l0"), "weight_hh_l0 is missing"),
        (lambda w: w.pop("bias_ih_l0"), "bias_ih_l0 is missing"),
        (lambda w: w.update(weight_ih_l7=w["weight_ih_l0"]), "weight_ih_l7 is not used"),
        (lambda w: w.update(bias_hh_l0=w["bias_hh_l0"][:1]), r"bias_hh_l0: expected shape \(12,\)"),
        (lambda w: w.update(weight_ih_l0=w["weight_ih_l0"].astype(int)), "expected floats"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: object, message: str) -> None:
    spec = Recurrent("lstm", 2, 3)
    weights = weights_of(torch_layers(spec))
    change(weights)  # type: ignore[operator]
    with pytest.raises(ContractError, match=message):
        run(spec, weights, np.zeros((1, 2, 2)))


def test_inputs_that_do_not_fit_are_refused() -> None:
    spec = Recurrent("gru", 2, 3)
    weights = weights_of(torch_layers(spec))
    for shape in ((1, 2, 1), (2, 2), (0, 2, 2), (1, 0, 2)):
        with pytest.raises(InputError, match="x: expected"):
            run(spec, weights, np.zeros(shape))
    with pytest.raises(InputError, match=r"initial_h: expected \(1, 1, 3\), got \(1, 2, 3\)"):
        run(spec, weights, np.zeros((1, 2, 2)), np.zeros((1, 2, 3)))
    with pytest.raises(InputError, match="has no initial_c"):
        run(spec, weights, np.zeros((1, 2, 2)), None, np.zeros((1, 1, 3)))
    with pytest.raises(ContractError, match="only an LSTM has a projection"):
        run(Recurrent("gru", 2, 3, proj_size=2), weights, np.zeros((1, 2, 2)))
