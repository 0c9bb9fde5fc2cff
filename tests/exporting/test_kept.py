"""A module comes back as it was, whatever is done with it."""

from __future__ import annotations

import collections
import random
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils import weight_norm as old_weight_norm

from lstm_export.exporting.unchanged.kept import eval_mode, kept
from lstm_export.exporting.unchanged.precision import DtypeMode, Float64Mode, in_dtype


class Memory:
    """A helper object, as people write them."""

    def __init__(self) -> None:
        self.last: Tensor | None = None
        self.seen = [torch.zeros(2)]


class Messy(nn.Module):
    """Keeps state wherever a module can."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4, batch_first=True)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("count", torch.zeros(()))
        self.hidden: Tensor | None = None
        self.history: list[Tensor] = []
        self.table = collections.OrderedDict(a=1)
        self.names = {"x"}
        self.recent: collections.deque[int] = collections.deque([1, 2], maxlen=2)
        self.scale = np.ones(2, np.float32)
        self.memory = Memory()
        self.extra = [nn.Linear(4, 4)]
        self.generator = torch.Generator()
        self.noise = np.random.default_rng(0)

    def forward(self, x: Tensor) -> Tensor:
        y, (self.hidden, _) = self.rnn(x)
        self.history.append(y)
        self.table["b"] = len(self.table)
        self.table.move_to_end("a")
        self.names.add("y")
        self.recent.append(3)
        self.scale *= 2
        self.count += 1
        self.memory.last = y
        self.memory.seen[0] += 1
        self.new = y
        self.extra[0].weight.data *= 2
        y = y + torch.rand(1) + random.random() + np.random.rand()
        y = y + torch.rand(1, generator=self.generator) + self.noise.random()
        return self.norm(y[:, -1].float())


def state(module: Messy) -> dict[str, Any]:
    """Everything of `module` that can be compared."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    inner = dict(module.extra[0].named_parameters())
    return {
        "identity": {name: id(t) for name, t in {**tensors, **inner}.items()},
        "storage": {name: t.data_ptr() for name, t in {**tensors, **inner}.items()},
        "values": {name: t.tolist() for name, t in {**tensors, **inner}.items()},
        "gradients": {n: (t.requires_grad, id(t.grad), str(t.grad)) for n, t in tensors.items()},
        "modes": [child.training for child in module.modules()],
        "attributes": {k: id(v) for k, v in vars(module).items()},
        "lists": [module.history[:], list(module.table.items()), sorted(module.names)],
        "more": [list(module.recent), module.scale.tolist(), module.memory.seen[0].tolist()],
        "memory": {k: id(v) for k, v in vars(module.memory).items()},
        "hooks": [len(child._forward_hooks) for child in module.modules()],
        "generators": [str(module.generator.get_state().tolist()), str(module.noise.bit_generator)],
        "noise": str(module.noise.bit_generator.state),
        "order": [list(module._parameters), list(module._buffers), list(module.state_dict())],
        "class": [type(child) for child in module.modules()],
        "random": [
            str(torch.get_rng_state().tolist()),
            str(random.getstate()),
            str(np.random.get_state()),
        ],
    }


def everything(module: Messy) -> None:
    """Changes whatever can be changed."""
    x = torch.randn(2, 5, 3)
    module.train()
    module(x).sum().backward()
    module.eval()
    module.norm.train()
    module.rnn.weight_ih_l0.requires_grad_(False)
    module.rnn.weight_hh_l0.data = torch.zeros(16, 4)
    with torch.no_grad():
        module.rnn.bias_ih_l0.fill_(float("nan"))
    module.rnn.bias_hh_l0.grad = None
    module.norm.weight = nn.Parameter(torch.zeros(4))
    del module.norm.running_mean
    module.register_forward_hook(lambda *_: None)
    module.forward = lambda x: x  # type: ignore[method-assign]
    parametrizations.weight_norm(module.extra[0], "weight")
    parametrizations.weight_norm(module.rnn, "weight_hh_l0")
    module.double()


@pytest.mark.parametrize("fails", [False, True], ids=["after success", "after an exception"])
def test_nothing_that_is_done_to_a_module_stays(fails: bool) -> None:
    module = Messy()
    module.norm.eval()
    module.rnn.bias_hh_l0.grad = torch.ones(16)
    module.norm.weight.requires_grad_(False)
    before = state(module)

    def work() -> None:
        with kept(module):
            everything(module)
            inside = state(module)
            assert [part for part in before if inside[part] == before[part]] == []
            if fails:
                raise ZeroDivisionError

    if fails:
        with pytest.raises(ZeroDivisionError):
            work()
    else:
        work()
    after = state(module)
    for part, value in before.items():
        assert after[part] == value, part
    assert module.eval()(torch.zeros(1, 2, 3)).shape == (1, 4)


def test_blocks_for_one_module_nest() -> None:
    module = Messy()
    before = state(module)
    with kept(module):
        with kept(module):
            module.rnn.weight_ih_l0.data.zero_()
            module.count += 1
        assert module.count == 0
    assert state(module) == before


def test_a_hook_that_records_forgets_what_it_saw() -> None:
    module, seen, calls = nn.Linear(2, 2), [], 0

    def hook(*_: Any) -> None:
        nonlocal calls
        calls += 1
        seen.append(calls)

    module.register_forward_hook(hook)
    with kept(module):
        module(torch.zeros(1, 2))
        assert (calls, seen) == (1, [1])
    assert (calls, seen) == (0, [])


def test_eval_mode_gives_every_module_its_own_flag_back() -> None:
    module = nn.Sequential(nn.LSTM(2, 2), nn.Dropout(), nn.BatchNorm1d(2))
    module.eval()
    module[1].train()
    with eval_mode(module) as training:
        assert not any(child.training for child in module.modules())
    assert training == ("1",)
    assert [child.training for child in module.modules()] == [False, False, True, False]


class Norms(nn.Module):
    """Every way to compute a weight from other ones, and tensors that are nobody's parameters."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.old = old_weight_norm(nn.LSTM(3, 4), "weight_hh_l0")
        self.new = parametrizations.weight_norm(nn.GRU(4, 4), "weight_hh_l0")
        self.spectral = old_spectral_norm(nn.Linear(4, 5))
        self.newer = parametrizations.spectral_norm(nn.Linear(5, 6))
        self.tied = nn.Linear(6, 6)
        self.twin = nn.Linear(6, 6)
        self.twin.weight = self.tied.weight
        self.view = self.tied.weight.data[:2]
        self.start = [torch.full((1, 1, 4), 0.1), {"c": torch.full((1, 1, 4), 0.2)}]
        self.ids = torch.arange(3)

    def forward(self, x: Tensor) -> Tensor:
        h, c = self.start[0], self.start[1]["c"]  # type: ignore[index]
        y, _ = self.old(x, (h.repeat(1, x.size(1), 1), c.repeat(1, x.size(1), 1)))
        y, _ = self.new(y)
        y = self.twin(self.tied(self.newer(self.spectral(y)))) + 0.1 * torch.ones(6)
        return y[..., self.ids]


# torch warns of the old weight_norm whenever it is used.
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_a_module_of_any_precision_runs_in_another(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = Norms().eval()
    module(torch.randn(2, 3, 3))  # the old norms compute their weights when they are run
    with in_dtype(module, dtype):
        assert module.old.weight_hh_l0.dtype == module.start[0].dtype == dtype  # type: ignore[union-attr]
        assert module.twin.weight is module.tied.weight
        assert module.view.data_ptr() == module.tied.weight.data_ptr()
        assert module.ids.dtype == torch.int64
        before = {name: (p, p.data_ptr(), p.tolist()) for name, p in module.named_parameters()}
        with kept(module), in_dtype(module, torch.float32), torch.no_grad():
            single = module(torch.ones(2, 3, 3))
        with kept(module), in_dtype(module, torch.float64), torch.no_grad(), Float64Mode():
            double = module(torch.ones(2, 3, 3))
        for name, (parameter, place, values) in before.items():
            same = dict(module.named_parameters())[name]
            assert same is parameter
            assert (same.data_ptr(), same.tolist()) == (place, values)
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    error = (single.double() - double).abs().max()
    assert 0 < error < 1e-5


def test_flat_weights_stay_those_of_the_layer() -> None:
    module = nn.LSTM(3, 4, num_layers=2)
    with in_dtype(module, torch.float64):
        assert all(weight.dtype == torch.float64 for weight in module._flat_weights)
        module(torch.zeros(1, 1, 3, dtype=torch.float64))
    flat = [id(weight) for weight in module._flat_weights]
    assert flat == [id(getattr(module, name)) for name in module._flat_weights_names]


MAKERS: list[Callable[[Tensor], Tensor]] = [
    lambda x: torch.zeros(2),
    lambda x: torch.zeros(2, dtype=torch.float32),
    lambda x: torch.tensor([0.1, 1 / 3]),
    lambda x: torch.linspace(0, 1, 7),
    lambda x: torch.arange(0, 1, 0.1),
    lambda x: torch.full((2,), 1 / 3),
    lambda x: torch.randn(3),
    lambda x: torch.as_tensor(np.ones(2, np.float32)),
    lambda x: x.float(),
    lambda x: x.half(),
    lambda x: x.to(torch.float32),
    lambda x: x.to(dtype=torch.float32),
    lambda x: x.type(torch.float32),
    lambda x: x.type(torch.FloatTensor),
    lambda x: x.type("torch.FloatTensor"),
    lambda x: x.new_zeros(3),
    lambda x: x.new_zeros(3, dtype=torch.float32),
    lambda x: torch.empty_like(x, dtype=torch.float32),
    lambda x: torch.arange(1, 4) / 3,
    lambda x: torch.arange(3) * 0.1,
    lambda x: torch.arange(3).float(),
    lambda x: torch.arange(1, 3).sqrt(),
    lambda x: x.sum(dtype=torch.float32),
    lambda x: nn.functional.one_hot(torch.arange(3)).float(),
    lambda x: torch.matmul(x, torch.Tensor([[1.0], [2.0], [3.0]])),
    lambda x: torch.cat([x, torch.from_numpy(np.ones((1, 3), np.float32))]),
    lambda x: torch.stack([torch.zeros(1)] * 2),
]


@pytest.mark.parametrize("maker", MAKERS, ids=range(len(MAKERS)))
def test_double_precision_reaches_what_forward_makes(maker: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, 3, dtype=torch.float64)
    with Float64Mode():
        made = maker(x)
    assert made.dtype == torch.float64
    assert torch.zeros(1).dtype == torch.float32


def test_numbers_are_rounded_last() -> None:
    with Float64Mode():
        assert torch.equal(torch.linspace(0, 1, 4), torch.linspace(0, 1, 4, dtype=torch.float64))
        assert (torch.arange(1, 2) / 3).item() == 1 / 3
        assert torch.tensor(0.1).item() == 0.1
        assert torch.arange(3).dtype == torch.int64
        assert (torch.ones(2) > 0).dtype == torch.bool
        values, places = torch.ones(2, 3).max(dim=1)
        assert (values.dtype, places.dtype) == (torch.float64, torch.int64)
    with pytest.raises(RuntimeError, match="size"), Float64Mode():
        torch.zeros(2) + torch.zeros(3)


def test_the_other_way_round() -> None:
    with DtypeMode(torch.float32):
        assert torch.zeros(1, dtype=torch.float64).double().dtype == torch.float32
        out = torch.zeros(2)
        out[0] = torch.from_numpy(np.ones(1))[0]
        assert out.tolist() == [1, 0]


@pytest.fixture
def busy() -> Iterator[list[str]]:
    """Another thread that trains a module of the same class; gives what goes wrong there."""
    wrong: list[str] = []
    stop = threading.Event()
    module = Norms.__new__(Norms)
    nn.Module.__init__(module)
    module.rnn = nn.LSTM(3, 4)

    def train() -> None:
        while not stop.is_set():
            y, _ = module.rnn(torch.zeros(2, 1, 3))
            y.sum().backward()
            made = torch.zeros(1)
            if y.dtype != torch.float32 or made.dtype != torch.float32 or not module.rnn.training:
                wrong.append(f"{y.dtype} {made.dtype} {module.rnn.training}")

    thread = threading.Thread(target=train)
    thread.start()
    yield wrong
    stop.set()
    thread.join()


def test_a_thread_that_trains_the_same_class_notices_nothing(busy: list[str]) -> None:
    module = nn.LSTM(3, 4)
    for _ in range(30):
        with kept(module), eval_mode(module), in_dtype(module, torch.float64), Float64Mode():
            assert module(torch.zeros(2, 1, 3))[0].dtype == torch.float64
    assert busy == []
