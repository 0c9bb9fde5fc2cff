"""Tables in; series, windows, splits and scaling out. Reading needs NumPy alone."""
