"""What runtimes are known to refuse or to get wrong, as tables.

Every row was measured on the releases of `known.TRIED`, unless its detail names another one: small
graphs with dynamic axes at five shapes against onnxruntime's CPU provider, ragged lengths where
there are lengths. Errors are absolute, of values within (-1, 1).
"""
