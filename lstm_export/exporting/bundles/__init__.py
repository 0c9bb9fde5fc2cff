"""Bundles: of a training run, of any module."""
