"""Pickles read as data: what they would import or call is written down, never done."""
