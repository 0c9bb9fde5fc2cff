"""From a user's data to what a graph is fed: one file per task."""
