"""The models that are trained and exported, in torch."""
