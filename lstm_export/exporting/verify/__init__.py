"""An exported file against the module that it came from, at shapes other than the traced one."""
