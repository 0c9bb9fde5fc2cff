"""Complete programs for the bundle at hand: Python, Node and C, without this package."""
