"""Every family, the likely ones first: a new one is a file and a line here."""

from __future__ import annotations

from lstm_export.importing.expect.alternatives.activations import (
    activations_between,
    final_activation,
    rnn_activation,
)
from lstm_export.importing.expect.alternatives.alternative import Family
from lstm_export.importing.expect.alternatives.cell_options import biases, gate_order, zero_start
from lstm_export.importing.expect.alternatives.final_states import final_states
from lstm_export.importing.expect.alternatives.given_states import given_states
from lstm_export.importing.expect.alternatives.norms import norm_eps
from lstm_export.importing.expect.alternatives.residual import residual
from lstm_export.importing.expect.alternatives.time_axis import time_axis
from lstm_export.importing.expect.alternatives.valid_steps import valid_steps
from lstm_export.importing.expect.alternatives.which_step import which_step

FAMILIES: dict[str, Family] = {
    "the axis of time": time_axis,
    "which step is read": which_step,
    "lengths of padded sequences": valid_steps,
    "final states": final_states,
    "an activation behind the outputs": final_activation,
    "activations between layers": activations_between,
    "the activation of an RNN": rnn_activation,
    "initial states in the file": given_states,
    "a start from zeros": zero_start,
    "the biases": biases,
    "the order of the gates": gate_order,
    "the eps of norms": norm_eps,
    "a residual connection": residual,
}
