"""What is assumed of layers and inputs because no array tells it, and what else it may be."""

from __future__ import annotations

from lstm_export.importing.infer.order import Arrangement


def untold(arrangement: Arrangement) -> list[str]:
    """Sentences, each about one layer."""
    said = []
    for tower in arrangement.towers:
        first = tower[0]
        ids = first.kind == "embedding"
        what = "ids" if ids else "floats"
        axes = "(batch, sequence_length)" if ids else "(batch, sequence_length, features)"
        recurrent = next((group for group in tower if group.recurrent), None)
        if recurrent is None:
            continue
        name = recurrent.name or recurrent.kind
        if "batch_first" not in recurrent.options:
            said.append(
                f"{what} come as {axes}; with time first it is "
                f"x:{what}(time_major=true) and {name}(batch_first=false)"
            )
        if "initial_h" in recurrent.tensors or "initial_c" in recurrent.tensors:
            said.append(f"{name} starts from the state that the file holds")
        else:
            said.append(f"{name} starts from zeros: a state given as an input is the other")
    for group in (g for line in arrangement.lines for g in line):
        name = group.name or group.kind
        if group.kind == "rnn" and "activation" not in group.options:
            said.append(f"{name} has tanh: {name}(activation=relu) has the same shapes")
        if group.kind == "conv1d" and not {"padding", "stride", "dilation"} & set(group.options):
            width = group.sizes["kernel_size"]
            said.append(
                f"{name} has stride 1, dilation 1 and no padding: padding={width // 2} keeps the "
                f"length, as many with a kernel of {width} do"
            )
        if group.kind in ("layer_norm", "group_norm", "batch_norm") and "eps" not in group.options:
            said.append(f"{name} has torch's eps of 1e-5")
        if group.kind == "layer_norm":
            other = "group_norm(groups=2), say," if "bias" in group.tensors else "rms_norm"
            said.append(f"{name} is a layer norm: {name}:{other} has the same shapes")
        if group.kind == "rms_norm" and "eps" not in group.options:
            said.append(f"{name} has torch's eps of 1.2e-7: 1e-5 and 1e-6 are the likely others")
    return said
