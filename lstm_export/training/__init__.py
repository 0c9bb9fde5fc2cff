"""From a series to a checkpoint."""
