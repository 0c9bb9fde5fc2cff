"""LSTM, GRU and Elman's network by their equations, to be read beside a textbook, and trained.

One file per cell; `layers` runs them over sequences, in stacks and in two directions; `convert`
takes them to torch.nn and back. Rows are samples, as in Zhang et al., "Dive into Deep Learning"
(2023), chapters 9 and 10, whose names the parameters have: a weight W_xi takes x to the gate i and
is (input_size, hidden_size), so that the product is x @ W_xi. torch.nn keeps the transposes of
these matrices, on top of each other.
"""
