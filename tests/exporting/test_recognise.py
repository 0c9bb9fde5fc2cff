"""Cells as people write them, in a loop: recognised, and right whether recognised or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan_op
from torch.fx.experimental import _config as shape_settings
from torch.nn import functional as F

from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.recognise.scans import recognise_cells
from lstm_export.exporting.target import Target
from lstm_export.exporting.translate import translate

X, H = 4, 6
SHAPES = [(1, 1), (4, 9), (1, 7), (3, 60)]

States = tuple[Tensor, ...]
Step = Callable[..., States]


class Weights(nn.Module):
    """What the forms below draw from: parameters and layers that come to be when first read."""

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            # Not by setattr, which looks first whether there is such an attribute.
            if name in _LAYERS:
                made = self._modules[name] = _LAYERS[name]()
                return made
            sizes = _SIZES.get(name) or _SIZES.get(name[:-1])
            if sizes is None:
                raise
            self._parameters[name] = nn.Parameter(torch.randn(sizes) * 0.4)
            return self._parameters[name]


_SIZES: dict[str, tuple[int, ...]] = {
    # By their names, or those without the last letter, which is a gate's.
    **dict.fromkeys(["b_", "c_", "p_"], (H,)),
    "W_x": (X, H),
    "W_h": (H, H),
    "V_x": (H, X),
    "V_h": (H, H),
    "W_all": (X, 4 * H),
    "U_all": (H, 4 * H),
    "b_all": (4 * H,),
}
_LAYERS: dict[str, Callable[[], nn.Module]] = {
    **{f"l_{gate}": lambda: nn.Linear(X + H, H) for gate in "ifogzrn"},
    **{f"x_{gate}": lambda: nn.Linear(X, H) for gate in "ifogzrn"},
    **{f"h_{gate}": lambda: nn.Linear(H, H, bias=False) for gate in "ifogzrn"},
    "i2h": lambda: nn.Linear(X, 4 * H),
    "h2h": lambda: nn.Linear(H, 4 * H),
    "i2h3": lambda: nn.Linear(X, 3 * H),
    "h2h3": lambda: nn.Linear(H, 3 * H),
    "gates": lambda: nn.Linear(X + H, 4 * H),
    "gates2": lambda: nn.Linear(X + H, 2 * H),
    "normed": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(X + H, 4 * H)),
    "norm": lambda: nn.LayerNorm(H),
    "norm4": lambda: nn.LayerNorm(4 * H),
    "lstm_cell": lambda: nn.LSTMCell(X, H),
    "bare_cell": lambda: nn.LSTMCell(X, H, bias=False),
    "deep_cell": lambda: nn.LSTMCell(H, H),
    "gru_cell": lambda: nn.GRUCell(X, H),
    "rnn_cell": lambda: nn.RNNCell(X, H),
    "relu_cell": lambda: nn.RNNCell(X, H, nonlinearity="relu"),
    "embed": lambda: nn.Linear(X, X),
    "head": lambda: nn.Linear(H, 2),
    "narrow": lambda: nn.Linear(H, X),
}


sig, tanh = torch.sigmoid, torch.tanh


def d2l_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i = sig(x @ w.W_xi + h @ w.W_hi + w.b_i)
    f = sig(x @ w.W_xf + h @ w.W_hf + w.b_f)
    o = sig(x @ w.W_xo + h @ w.W_ho + w.b_o)
    c_tilde = tanh(x @ w.W_xg + h @ w.W_hg + w.b_g)
    c = f * c + i * c_tilde
    return o * tanh(c), c


def other_order_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    f = sig(w.b_f + torch.matmul(h, w.W_hf) + (w.c_f + torch.matmul(x, w.W_xf)))
    g = tanh((h @ w.W_hg + w.b_g) + x @ w.W_xg)
    c = g * sig(h @ w.W_hi + x @ w.W_xi) + c * f
    return tanh(c) * sig(x @ w.W_xo + h @ w.W_ho + w.b_o), c


def concatenated_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = w.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
    c = sig(f) * c + sig(i) * tanh(g)
    return sig(o) * tanh(c), c


def state_first_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    o, g, f, i = torch.split(w.gates(torch.cat((h, x), -1)), H, dim=-1)
    c = torch.sigmoid(f + 1.0) * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def four_linears_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    combined = torch.cat((x, h), 1)
    f, i, o = sig(w.l_f(combined)), sig(w.l_i(combined)), sig(w.l_o(combined))
    c = torch.add(torch.mul(c, f), torch.mul(i, tanh(w.l_g(combined))))
    return torch.mul(o, tanh(c)), c


def linear_pairs_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i = sig(w.x_i(x) + w.h_i(h))
    f = sig(w.x_f(x) + w.h_f(h))
    c = f * c + i * tanh(w.x_g(x) + w.h_g(h))
    return sig(w.x_o(x) + w.h_o(h)) * tanh(c), c


def i2h_h2h_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    preact = w.i2h(x) + w.h2h(h)
    gates = preact[:, : 3 * H].sigmoid()
    g = preact[:, 3 * H :].tanh()
    i, f, o = gates[:, :H], gates[:, H : 2 * H], gates[:, -H:]
    c = torch.mul(c, f) + torch.mul(i, g)
    return torch.mul(o, c.tanh()), c


def sliced_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    gates = x @ w.W_all + h @ w.U_all + w.b_all
    i, f = sig(gates[:, :H]), sig(gates[:, H : H * 2])
    g, o = tanh(gates[:, H * 2 : H * 3]), sig(gates[:, H * 3 :])
    c = f * c + i * g
    return o * tanh(c), c


def einsum_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    gates = torch.einsum("bi,ij->bj", x, w.W_all) + torch.einsum("bh,hj->bj", h, w.U_all)
    i, f, g, o = (gates + w.b_all).chunk(4, 1)
    c = torch.addcmul(sig(i) * tanh(g), sig(f), c)
    return sig(o) * tanh(c), c


def addmm_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    gates = torch.addmm(torch.addmm(w.b_all, x, w.W_all), h, w.U_all).view(-1, 4, H)
    c = sig(gates[:, 1]) * c + sig(gates[:, 0]) * tanh(gates[:, 2])
    return sig(gates[:, 3]) * tanh(c), c


def unbound_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = (w.i2h(x) + w.h2h(h)).view(x.size(0), 4, -1).unbind(1)
    c = sig(f) * c + sig(i) * tanh(g)
    return sig(o) * tanh(c), c


def turned_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = (w.i2h(x) + w.h2h(h)).view(x.size(0), 4, -1).transpose(0, 1)
    c = sig(f) * c + sig(i) * tanh(g)
    return sig(o) * tanh(c), c


def exp_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    def sigmoid(value: Tensor) -> Tensor:
        return 1 / (1 + torch.exp(-value))

    i, f, g, o = w.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def coupled_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    f = sig(x @ w.W_xf + h @ w.W_hf + w.b_f)
    c = f * c + (1 - f) * tanh(x @ w.W_xg + h @ w.W_hg)
    return sig(x @ w.W_xo + h @ w.W_ho) * tanh(c), c


def coupled_by_input_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i = sig(x @ w.W_xi + h @ w.W_hi + w.b_i)
    c = c + i * (tanh(x @ w.W_xg + h @ w.W_hg) - c)
    return sig(x @ w.W_xo + h @ w.W_ho) * tanh(c), c


def normed_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = w.normed(torch.cat([x, h], dim=1)).chunk(4, dim=1)
    c = sig(f) * c + sig(i) * tanh(g)
    return sig(o) * tanh(c), c


def dead_gate_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    # No recurrence in the gates: the state passes through c alone.
    c = sig(w.x_f(x)) * c + sig(w.x_i(x)) * tanh(w.x_g(x) + w.h_g(h))
    return sig(w.x_o(x)) * tanh(c), c


def cell_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    h, c = w.lstm_cell(x, (h, c))
    return h, c


def bare_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    h, c = w.bare_cell(x, (h, c))
    return h, c


def scaled_input_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    # Must not be folded into the weights: the mean is far away.
    h, c = w.lstm_cell((x - 1e5) / 3 + 1e5 / 3, (h, c))
    return h, c


def embedded_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    h, c = w.lstm_cell(F.relu(w.embed(x)), (h, c))
    return h, c


def cell_gru(w: Any, x: Tensor, h: Tensor) -> States:
    return (w.gru_cell(x, h),)


def d2l_gru(w: Any, x: Tensor, h: Tensor) -> States:
    z = sig(x @ w.W_xz + h @ w.W_hz + w.b_z)
    r = sig(x @ w.W_xr + h @ w.W_hr + w.b_r)
    n = tanh(x @ w.W_xn + (r * h) @ w.W_hn + w.b_n)
    return (z * h + (1 - z) * n,)


def swapped_gru(w: Any, x: Tensor, h: Tensor) -> States:
    z = sig(w.l_z(torch.cat([h, x], 1)))
    r = sig(w.l_r(torch.cat([h, x], 1)))
    n = tanh(w.l_n(torch.cat([r * h, x], 1)))
    return ((1 - z) * h + z * n,)


def chunked_gru(w: Any, x: Tensor, h: Tensor) -> States:
    x_r, x_z, x_n = w.i2h3(x).chunk(3, 1)
    h_r, h_z, h_n = w.h2h3(h).chunk(3, 1)
    r, z = sig(x_r + h_r), sig(x_z + h_z)
    n = tanh(x_n + r * h_n)
    return (n + z * (h - n),)


def moved_gru(w: Any, x: Tensor, h: Tensor) -> States:
    r, z = sig(w.gates2(torch.cat([x, h], -1))).chunk(2, -1)
    n = tanh(w.x_n(x) + r * (h @ w.W_hn + w.c_n))
    return (h + z * (n - h),)


def distributed_gru(w: Any, x: Tensor, h: Tensor) -> States:
    r, z = sig(w.gates2(torch.cat([x, h], -1))).split(H, -1)
    n = tanh(w.x_n(x) + r * (h @ w.W_hn) + r * w.c_n)
    return (h - z * h + n * z,)


def lerp_gru(w: Any, x: Tensor, h: Tensor) -> States:
    z, r = sig(w.x_z(x) + w.h_z(h)), sig(w.x_r(x) + w.h_r(h))
    return (torch.lerp(tanh(w.x_n(x) + r * w.h_n(h)), h, z),)


def column_rnn(w: Any, x: Tensor, h: Tensor) -> States:
    # One row of samples to columns and back within the step.
    return (tanh((w.V_xn @ x.T + w.V_hn @ h.T + w.b_n[:, None]).T).contiguous(),)


def bias_outside_gru(w: Any, x: Tensor, h: Tensor) -> States:
    z = sig(h @ w.W_hz + x @ w.W_xz)
    r = sig(h @ w.W_hr + x @ w.W_xr)
    n = tanh(torch.mm(x, w.W_xn) + torch.mm(h * r, w.W_hn) + w.b_n)
    return (n * (1 - z) + h * z,)


def cell_rnn(w: Any, x: Tensor, h: Tensor) -> States:
    return (w.rnn_cell(x, h),)


def relu_rnn(w: Any, x: Tensor, h: Tensor) -> States:
    return (w.relu_cell(x, h),)


def d2l_rnn(w: Any, x: Tensor, h: Tensor) -> States:
    return (tanh(torch.matmul(x, w.W_xn) + torch.matmul(h, w.W_hn) + w.b_n),)


def concatenated_rnn(w: Any, x: Tensor, h: Tensor) -> States:
    return (torch.relu(w.l_n(torch.cat((x, h), 1))),)


def low_rank_rnn(w: Any, x: Tensor, h: Tensor) -> States:
    return (tanh(w.x_n(x) + w.narrow(h) @ w.W_xz),)


FORMS: dict[str, list[Step]] = {
    "LSTM": [
        *(d2l_lstm, other_order_lstm, concatenated_lstm, state_first_lstm, four_linears_lstm),
        *(linear_pairs_lstm, i2h_h2h_lstm, sliced_lstm, exp_lstm, coupled_lstm),
        *(coupled_by_input_lstm, normed_lstm, dead_gate_lstm, cell_lstm, bare_lstm),
        *(scaled_input_lstm, embedded_lstm, einsum_lstm, addmm_lstm, unbound_lstm, turned_lstm),
    ],
    "GRU": [
        *(cell_gru, d2l_gru, swapped_gru, chunked_gru, moved_gru, distributed_gru),
        *(bias_outside_gru, lerp_gru),
    ],
    "RNN": [cell_rnn, relu_rnn, d2l_rnn, concatenated_rnn, low_rank_rnn, column_rnn],
}


def clipped_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    h, c = w.lstm_cell(x, (h, c))
    return h, c.clamp(-0.5, 0.5)


def normalised_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = w.norm4(w.gates(torch.cat([x, h], dim=1))).chunk(4, dim=1)
    c = sig(f) * c + sig(i) * tanh(g)
    return sig(o) * tanh(c), c


def normalised_state_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = w.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
    c = w.norm(sig(f) * c + sig(i) * tanh(g))
    return sig(o) * tanh(c), c


def hard_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = w.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
    c = F.hardsigmoid(f) * c + sig(i) * tanh(g)
    return sig(o) * tanh(c), c


def hardtanh_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = w.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
    c = sig(f) * c + sig(i) * F.hardtanh(g)
    return sig(o) * tanh(c), c


def negative_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = w.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
    c = sig(f) * c - sig(i) * tanh(g)
    return sig(o) * tanh(c), c


def old_cell_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    # tanh of the cell state before, not of the new one.
    i, f, g, o = w.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
    return sig(o) * tanh(c), sig(f) * c + sig(i) * tanh(g)


def no_tanh_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = w.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
    c = sig(f) * c + sig(i) * tanh(g)
    return sig(o) * c, c


def peephole_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    i, f, g, o = w.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
    c = sig(f + w.p_f * c) * c + sig(i + w.p_i * c) * tanh(g)
    return sig(o) * tanh(c), c


def residual_lstm(w: Any, x: Tensor, h: Tensor, c: Tensor) -> States:
    new, c = w.lstm_cell(x, (h, c))
    return new + h, c


def unequal_gru(w: Any, x: Tensor, h: Tensor) -> States:
    z, other = sig(x @ w.W_xz + h @ w.W_hz), sig(x @ w.W_xo + h @ w.W_ho)
    r = sig(x @ w.W_xr + h @ w.W_hr)
    return (z * h + (1 - other) * tanh(x @ w.W_xn + (r * h) @ w.W_hn),)


def summed_gru(w: Any, x: Tensor, h: Tensor) -> States:
    z, r = sig(x @ w.W_xz + h @ w.W_hz), sig(x @ w.W_xr + h @ w.W_hr)
    return (z * h + (1 + z) * tanh(x @ w.W_xn + (r * h) @ w.W_hn),)


def reset_all_gru(w: Any, x: Tensor, h: Tensor) -> States:
    z, r = sig(x @ w.W_xz + h @ w.W_hz), sig(x @ w.W_xr + h @ w.W_hr)
    return (z * h + (1 - z) * tanh(r * (x @ w.W_xn + h @ w.W_hn)),)


def reset_bias_gru(w: Any, x: Tensor, h: Tensor) -> States:
    # The reset gate before the product, and on a bias after it: no ONNX GRU does both.
    z, r = sig(x @ w.W_xz + h @ w.W_hz), sig(x @ w.W_xr + h @ w.W_hr)
    return (z * h + (1 - z) * tanh(x @ w.W_xn + (r * h) @ w.W_hn + r * w.c_n),)


def leaky_rnn(w: Any, x: Tensor, h: Tensor) -> States:
    return (0.9 * h + 0.1 * tanh(x @ w.W_xn + h @ w.W_hn),)


def gelu_rnn(w: Any, x: Tensor, h: Tensor) -> States:
    return (F.gelu(x @ w.W_xn + h @ w.W_hn),)


def doubled_rnn(w: Any, x: Tensor, h: Tensor) -> States:
    return (2 * tanh(x @ w.W_xn + 0.3 * (h @ w.W_hn)),)


NEAR_MISSES: list[Step] = [
    *(clipped_lstm, normalised_lstm, normalised_state_lstm, hard_lstm, hardtanh_lstm),
    *(negative_lstm, old_cell_lstm, no_tanh_lstm, peephole_lstm, residual_lstm),
    *(unequal_gru, summed_gru, reset_all_gru, reset_bias_gru),
    *(leaky_rnn, gelu_rnn, doubled_rnn),
]


class OneStep(Weights):
    """(*states, output) of a step."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step
        self.count = step.__code__.co_argcount - 2
        self(*torch.zeros(self.count, 1, H), torch.zeros(1, X))

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        *states, x_t = inputs
        new = self.step(self, x_t, *states)
        return [*new, self.head(new[0])]


def over_time(step: nn.Module, states: Sequence[Tensor], xs: Sequence[Tensor]) -> list[Tensor]:
    """The final states, then each step's outputs stacked; `xs` are (sequence_length, ...).

    A Python loop, which traces as one scan.
    """
    if torch.compiler.is_exporting():
        parameters = dict(step.named_parameters())

        def body(*inputs: Tensor) -> list[Tensor]:
            given = dict(zip(parameters, inputs[len(states) + len(xs) :], strict=True))
            results = torch.func.functional_call(step, given, inputs[: len(states) + len(xs)])
            return [result.clone() for result in results]

        return list(scan_op(body, list(states), list(xs), tuple(parameters.values())))
    collected = []
    for parts in zip(*xs, strict=True):
        results = step(*states, *parts)
        states = results[: len(states)]
        collected.append(results[len(states) :])
    return [*states, *(torch.stack(outputs) for outputs in zip(*collected, strict=True))]


class Stepwise(nn.Module):
    """A step over time; states start from zero, all results are returned."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = OneStep(step)

    def forward(self, x: Tensor) -> States:
        states = [x.new_zeros(x.shape[0], H) for _ in range(self.step.count)]
        *final, ys = over_time(self.step, states, [x.transpose(0, 1)])
        return ys.transpose(0, 1), *final


def exported(
    module: nn.Module, args: Sequence[Tensor], target: Target
) -> tuple[ir.Model, list[str]]:
    """The graph after recognition, and what recognition says."""
    auto = torch.export.Dim.AUTO
    dims = [dict.fromkeys(range(arg.dim()), auto) for arg in args]
    oblivious = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with torch.no_grad(), oblivious:
        variadic = bool(module.forward.__code__.co_flags & 0x04)
        shapes = (dims[0], tuple(dims[1:])) if variadic else tuple(dims)
        program = torch.export.export(module, tuple(args), dynamic_shapes=shapes, strict=False)
        ends = program.graph_signature
        inputs = [f"input_{i}" for i in range(len(ends.user_inputs))]
        outputs = [f"output_{i}" for i in range(len(ends.user_outputs))]
        model = translate(program, input_names=inputs, output_names=outputs)
    said = recognise_cells(model, target)
    tidy(model)
    model.ir_version = 8
    return model, said


def check(module: nn.Module, model: ir.Model, *more: tuple[int, ...]) -> None:
    """onnxruntime against the module, at other shapes than the traced one."""
    content = ir.to_proto(model).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    for batch, length in SHAPES:
        generator = torch.Generator().manual_seed(batch * 1000 + length)
        args = [torch.randn(batch, length, X, generator=generator)]
        args += [torch.randn(batch, *shape, generator=generator) for shape in more]
        got = session.run(None, dict(zip(names, (arg.numpy() for arg in args), strict=True)))
        with torch.no_grad():
            usual = module(*args)
            exact = module.double()(*(arg.double() for arg in args))
            module.float()
        for place, (value, plain, reference) in enumerate(zip(got, usual, exact, strict=True)):
            assert value.shape == tuple(reference.shape), place
            own = np.abs(plain.numpy() - reference.numpy()).max()
            bound = max(4 * own, 2e-6 * np.abs(reference.numpy()).max())
            assert np.abs(value - reference.numpy()).max() <= bound, (batch, length, place)


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def stepwise(step: Step) -> Stepwise:
    torch.manual_seed(0)
    return Stepwise(step).eval()


class Together(nn.Module):
    """Several steps over the same x, each with its own loop: entering torch's exporter costs as
    much as half a dozen of them.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        super().__init__()
        self.loops = nn.ModuleList(stepwise(step) for step in steps)

    def forward(self, x: Tensor) -> States:
        return tuple(result for loop in self.loops for result in loop(x))


RELU = (relu_rnn, concatenated_rnn)
TOGETHER = 6


def groups(steps: Sequence[Step]) -> list[Sequence[Step]]:
    return [steps[first : first + TOGETHER] for first in range(0, len(steps), TOGETHER)]


def targeted(steps: Sequence[Step]) -> dict[Target, list[Step]]:
    """Steps by turns for either target, those that only onnxruntime has operators for aside."""
    found: dict[Target, list[Step]] = {"portable": [], "onnxruntime": []}
    for position, step in enumerate(steps):
        found["onnxruntime" if step in RELU or position % 2 else "portable"].append(step)
    return found


CASES = [
    pytest.param(group, operator, target, id="-".join(step.__name__ for step in group))
    for operator, steps in FORMS.items()
    for target, those in targeted(steps).items()
    for group in groups(those)
]


@pytest.mark.parametrize(("steps", "operator", "target"), CASES)
def test_a_cell_however_it_is_written_becomes_the_operator(
    steps: Sequence[Step], operator: str, target: Target
) -> None:
    module = Together(steps).eval()
    model, said = exported(module, [torch.randn(2, 5, X)], target)
    for number, (step, line) in enumerate(zip(steps, said, strict=True), 1):
        assert line.startswith(f"loop {number}: {operator} of {H}"), step.__name__
    assert operators(model).count(operator) == len(steps), said
    assert "Scan" not in operators(model)
    check(module, model)


def test_relu_stays_a_loop_where_runtimes_compute_tanh() -> None:
    module = stepwise(relu_rnn)
    model, said = exported(module, [torch.randn(2, 5, X)], "portable")
    assert said == [
        "loop 1: stays a Scan: some runtimes compute tanh where an RNN operator says relu"
    ]
    check(module, model)


@pytest.mark.parametrize(
    "steps", groups(NEAR_MISSES), ids=lambda steps: "-".join(step.__name__ for step in steps)
)
def test_what_is_no_cell_stays_a_loop(steps: Sequence[Step]) -> None:
    module = Together(steps).eval()
    model, said = exported(module, [torch.randn(2, 5, X)], "onnxruntime")
    for number, (step, line) in enumerate(zip(steps, said, strict=True), 1):
        assert line.startswith(f"loop {number}: stays a Scan: "), step.__name__
    assert operators(model).count("Scan") == len(steps), said
    assert not {"LSTM", "GRU", "RNN"} & set(operators(model))
    check(module, model)
