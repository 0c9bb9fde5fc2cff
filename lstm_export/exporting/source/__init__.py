"""A module that the command line names: its file, its weights, an example of its input."""
