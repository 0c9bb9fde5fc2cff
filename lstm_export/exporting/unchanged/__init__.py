"""Leaving the module, and the process around it, as they were."""
