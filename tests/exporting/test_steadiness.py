"""State carried between calls and random numbers: what is an error, and what is innocent."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstm_export.exporting.audit.finding import Finding
from lstm_export.exporting.audit.steadiness import unsteady, unsteady_findings
from lstm_export.exporting.tracing.call import describe_call
from lstm_export.exporting.unchanged.kept import kept

HERE = Path(__file__).name


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 8, batch_first=True)
        self.fc = nn.Linear(8, 2)
        self.prepare()

    def prepare(self) -> None:
        pass


def zeros(x: Tensor) -> tuple[Tensor, Tensor]:
    return torch.zeros(1, x.size(0), 8), torch.zeros(1, x.size(0), 8)


class Tutorial(Model):
    def prepare(self) -> None:
        self.hidden = zeros(torch.empty(2, 1))

    def forward(self, x: Tensor) -> Tensor:
        out, self.hidden = self.lstm(x, self.hidden)
        return self.fc(out)


class StartsAtNone(Model):
    def prepare(self) -> None:
        self.h = None

    def forward(self, x: Tensor) -> Tensor:
        out, self.h = self.lstm(x, self.h)
        return self.fc(out[:, -1])


class ResetForAnotherBatch(Model):
    def prepare(self) -> None:
        self.h: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if self.h is None or self.h[0].size(1) != x.size(0):
            self.h = zeros(x)
        out, self.h = self.lstm(x, self.h)
        return self.fc(out)


class BufferWrittenInPlace(Model):
    def prepare(self) -> None:
        self.register_buffer("h", torch.zeros(1, 2, 8))

    def forward(self, x: Tensor) -> Tensor:
        out, (h, _) = self.lstm(x, (self.h, self.h))
        self.h.copy_(h)
        return self.fc(out)


class BufferReplaced(Model):
    def prepare(self) -> None:
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        self.mean = 0.99 * self.mean + 0.01 * x.mean((0, 1))
        return self.fc(self.lstm(x - self.mean)[0])


class InDict(Model):
    def prepare(self) -> None:
        self.state: dict[str, Any] = {}

    def forward(self, x: Tensor) -> Tensor:
        out, self.state["h"] = self.lstm(x, self.state.get("h"))
        return self.fc(out)


class InDeque(Model):
    def prepare(self) -> None:
        self.states: deque[Any] = deque(maxlen=2)

    def forward(self, x: Tensor) -> Tensor:
        out, h = self.lstm(x, self.states[-1] if self.states else None)
        self.states.append(h)
        return self.fc(out)


class Memory:
    def __init__(self) -> None:
        self.h = None


class InHelper(Model):
    def prepare(self) -> None:
        self.memory = Memory()

    def forward(self, x: Tensor) -> Tensor:
        out, self.memory.h = self.lstm(x, self.memory.h)
        return self.fc(out)


class OnTheClass(Model):
    h: Any = None

    def forward(self, x: Tensor) -> Tensor:
        out, OnTheClass.h = self.lstm(x, OnTheClass.h)
        return self.fc(out)


STATE: Any = None


class InGlobal(Model):
    def forward(self, x: Tensor) -> Tensor:
        global STATE
        out, STATE = self.lstm(x, STATE)
        return self.fc(out)


class InParameter(Model):
    def prepare(self) -> None:
        self.h = nn.Parameter(torch.zeros(1, 2, 8), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        out, (h, _) = self.lstm(x, (self.h, self.h))
        self.h.data = h.detach()
        return self.fc(out)


class InArray(Model):
    def prepare(self) -> None:
        self.last = np.zeros(8, dtype=np.float32)

    def forward(self, x: Tensor) -> Tensor:
        out = self.lstm(x)[0] + torch.from_numpy(self.last.copy())
        self.last = out[0, -1].numpy().copy()
        return self.fc(out)


class DecayByCalls(Model):
    def prepare(self) -> None:
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.fc(self.lstm(x)[0]) * 0.9**self.calls


class NotSeenInThisOutput(Model):
    """Saturated: two calls agree."""

    def prepare(self) -> None:
        self.h = None

    def forward(self, x: Tensor) -> Tensor:
        out, self.h = self.lstm(x, self.h)
        return F.relu(self.fc(out) - 1000)


class NotSeenAtThisLength(Model):
    """The last four steps: the example brings five of its own."""

    def prepare(self) -> None:
        self.register_buffer("recent", torch.zeros(2, 4, 3))

    def forward(self, x: Tensor) -> Tensor:
        self.recent = torch.cat([self.recent, x], 1)[:, -4:]
        return self.fc(self.lstm(self.recent)[0])


class MadeForTheFirstBatch(Model):
    def prepare(self) -> None:
        self.h0: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if self.h0 is None:
            self.h0 = zeros(x)
        return self.fc(self.lstm(x, self.h0)[0])


class InLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(StartsAtNone())

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x)


CARRIED = {
    Tutorial: "hidden",
    StartsAtNone: "h",
    ResetForAnotherBatch: "h",
    BufferWrittenInPlace: "h",
    BufferReplaced: "mean",
    InDict: "state",
    InDeque: "states",
    InHelper: "memory.h",
    OnTheClass: "OnTheClass.h (of the class)",
    InGlobal: "STATE (a global)",
    InParameter: "h",
    InArray: "last",
    DecayByCalls: "calls",
    NotSeenInThisOutput: "h",
    NotSeenAtThisLength: "recent",
    MadeForTheFirstBatch: "h0",
    InLayer: "encoder.0.h",
}


def findings(kind: type[nn.Module], *calls: Tensor) -> tuple[Finding, ...]:
    """What the audit says of a module that was called before with each of `calls`."""
    torch.manual_seed(0)
    module = kind().eval()
    example = torch.randn(2, 5, 3)
    with torch.no_grad():
        for x in calls:
            module(x)
        with kept(module):
            return unsteady_findings(module, describe_call(module, (example,)))


@pytest.mark.parametrize("kind", CARRIED, ids=lambda kind: kind.__name__)
def test_carried_state_is_named_with_its_line(kind: type[nn.Module]) -> None:
    (found,) = findings(kind)
    assert found.trap == "carried state"
    assert f" carries {CARRIED[kind]} from one call" in found.what
    assert found.place is not None
    assert Path(found.place.file).name == HERE
    assert CARRIED[kind].split()[0].rpartition(".")[2] in found.place.source
    assert "None" not in found.place.source.partition("=")[2]  # where it is written, not made


def test_two_states_are_both_named() -> None:
    class Both(Model):
        def prepare(self) -> None:
            self.h, self.c = zeros(torch.empty(2, 1))

        def forward(self, x: Tensor) -> Tensor:
            out, (self.h, self.c) = self.lstm(x, (self.h, self.c))
            return self.fc(out)

    assert [found.what.split()[2] for found in findings(Both)] == ["c", "h"]


def test_a_call_before_the_export_hides_nothing() -> None:
    class Difference(Model):
        def prepare(self) -> None:
            self.before = torch.zeros(2, 5, 3)

        def forward(self, x: Tensor) -> Tensor:
            x, self.before = x - self.before, x
            return self.fc(self.lstm(x)[0])

    torch.manual_seed(0)
    module = Difference().eval()
    example = torch.randn(2, 5, 3)
    with torch.no_grad(), kept(module):
        module(example)  # from here on the same input gives the same output
        assert unsteady_findings(module, describe_call(module, (example,)))


def test_state_in_a_hook_is_found_though_it_has_no_name() -> None:
    class Hooked(Model):
        def prepare(self) -> None:
            seen: dict[str, Any] = {}

            def hook(module: nn.Module, given: Any, out: Tensor) -> Tensor:
                before = seen.get("out", 0)
                seen["out"] = out
                return out + before

            self.fc.register_forward_hook(hook)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.lstm(x)[0])

    (found,) = findings(Hooked)
    assert "hook" in found.why


class Plain(Model):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x)[0])


class Overwritten(Model):
    def forward(self, x: Tensor) -> Tensor:
        self.hidden = zeros(x)
        out, self.hidden = self.lstm(x, self.hidden)
        self.attention = torch.softmax(out, -1)
        return self.fc(out * self.attention)


class WrittenThenRead(Model):
    def forward(self, x: Tensor) -> Tensor:
        self.last = self.lstm(x)[0]
        return self.head()

    def head(self) -> Tensor:
        return self.fc(self.last)


class ClearedFirst(Model):
    def prepare(self) -> None:
        self.register_buffer("h", torch.zeros(1, 2, 8))

    def forward(self, x: Tensor) -> Tensor:
        self.h.zero_()
        out, (h, _) = self.lstm(x, (self.h, self.h))
        self.h.copy_(h)
        return self.fc(out)


class CountsCalls(Model):
    def prepare(self) -> None:
        self.calls, self.means = 0, []
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen += x.size(0)
        out = self.lstm(x)[0]
        self.mean = 0.9 * self.mean + 0.1 * out.mean((0, 1))
        self.means.append(out.mean().item())
        return self.fc(out)


class Norms(Model):
    def prepare(self) -> None:
        self.norm = nn.BatchNorm1d(8)
        self.one = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))
        self.two = nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm(self.lstm(x)[0].transpose(1, 2)).transpose(1, 2)
        return self.fc(self.drop(self.two(self.one(F.dropout(out, 0.5, self.training)))))


class CacheByLength(Model):
    def prepare(self) -> None:
        self.ramps: dict[int, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        length = x.size(1)
        if length not in self.ramps:
            self.ramps[length] = torch.linspace(0, 1, length)[None, :, None]
        return self.fc(self.lstm(x + self.ramps[length])[0])


class CacheOfTheLastLength(Model):
    def prepare(self) -> None:
        self.ramp: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if self.ramp is None or self.ramp.size(1) != x.size(1):
            self.ramp = torch.linspace(0, 1, x.size(1))[None, :, None]
        return self.fc(self.lstm(x + self.ramp)[0])


class UnusedDraw(Model):
    def forward(self, x: Tensor) -> Tensor:
        torch.randn(3)
        return self.fc(self.lstm(x)[0])


INNOCENT = [Plain, Overwritten, WrittenThenRead, ClearedFirst, CountsCalls, Norms, CacheByLength]
INNOCENT += [CacheOfTheLastLength, UnusedDraw]


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("kind", INNOCENT, ids=lambda kind: kind.__name__)
def test_innocent_modules_pass(kind: type[nn.Module], called: bool) -> None:
    assert findings(kind, *([torch.ones(2, 7, 3)] if called else [])) == ()


class RandomState(Model):
    def forward(self, x: Tensor) -> Tensor:
        state = torch.randn(1, x.size(0), 8), torch.zeros(1, x.size(0), 8)
        return self.fc(self.lstm(x, state)[0])


class DropoutLeftOn(Model):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.dropout(self.lstm(x)[0]))


class FilledInPlace(Model):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x + torch.empty(3).normal_())[0])


class OwnGenerator(Model):
    def prepare(self) -> None:
        self.generator = torch.Generator().manual_seed(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x + torch.rand(3, generator=self.generator))[0])


class Sampled(Model):
    def forward(self, x: Tensor) -> Tensor:
        return torch.distributions.Normal(self.lstm(x)[0], 1.0).rsample()


class FromNumPy(Model):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x + float(np.random.randn()))[0])


class OwnNumPyGenerator(Model):
    def prepare(self) -> None:
        self.generator = np.random.default_rng(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x + float(self.generator.normal()))[0])


RANDOM = {
    RandomState: "torch.randn(1",
    DropoutLeftOn: "F.dropout(",
    FilledInPlace: "normal_()",
    OwnGenerator: "torch.rand(3",
    Sampled: "rsample()",
    FromNumPy: None,
    OwnNumPyGenerator: None,
}


@pytest.mark.parametrize("kind", RANDOM, ids=lambda kind: kind.__name__)
def test_random_numbers_are_errors_with_their_line(kind: type[nn.Module]) -> None:
    (found,) = findings(kind)
    assert found.trap == "randomness"
    line = RANDOM[kind]
    assert (found.place is None) == (line is None)
    assert found.place is None or (line in found.place.source and HERE in found.place.file)


def test_a_large_module_is_called_once_unless_it_writes_something() -> None:
    class Large(Plain):
        def prepare(self) -> None:
            self.wide = nn.Linear(2100, 2100)
            self.calls = 0

        def forward(self, x: Tensor) -> Tensor:
            counted.append(x)
            return super().forward(x)

    class LargeAndWriting(Large):
        def forward(self, x: Tensor) -> Tensor:
            self.before = torch.zeros(3)
            return super().forward(x)

    class LargeAndCarrying(Large):
        def prepare(self) -> None:
            super().prepare()
            self.h = None

        def forward(self, x: Tensor) -> Tensor:
            out, self.h = self.lstm(x, self.h)
            return self.fc(out)

    counted: list[Tensor] = []
    assert findings(Large) == ()
    assert len(counted) == 1
    assert findings(LargeAndWriting) == ()
    assert len(counted) > 2
    assert findings(LargeAndCarrying)


def test_an_unseeded_generator_is_not_taken_for_a_steady_module() -> None:
    class Unseeded(Model):
        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.lstm(x + float(np.random.default_rng().normal()))[0])

    assert findings(Unseeded)


def test_the_module_and_the_random_state_stay_as_they_were() -> None:
    module = CountsCalls().eval()
    words = torch.random.get_rng_state()
    with torch.no_grad(), kept(module):
        call = describe_call(module, (torch.ones(2, 5, 3),))
        assert unsteady(module, call) is None
        assert module.calls == 0
        assert module.means == []
        assert int(module.seen) == 0
    assert torch.equal(words, torch.random.get_rng_state())
    OnTheClass.h = None
    findings(OnTheClass)
    assert OnTheClass.h is None


def test_the_message_says_what_to_change() -> None:
    module = Tutorial().eval()
    with torch.no_grad(), kept(module):
        message = unsteady(module, describe_call(module, (torch.ones(2, 5, 3),)))
    assert message is not None
    assert "def forward(self, x, hidden): … return output, hidden" in message
    assert f"{HERE}:" in message
