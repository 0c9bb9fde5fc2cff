"""Recurrent cells side by side: the same data, the same budget, several seeds."""
