"""The rows of the speed table."""
