"""What shapes cannot tell, written down: the layer string, the same as TOML, and both read back."""
