"""LSTM, GRU and RNN in NumPy float64, written to be read: the judge of everyone else."""
