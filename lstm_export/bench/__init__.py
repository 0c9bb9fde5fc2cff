"""How fast: torch and a bundle, side by side on this machine."""
