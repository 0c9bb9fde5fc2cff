"""The whole function of a TorchScript archive, as a plain module that can be exported.

`module.scripted_module` is the way in, `against` the proof. The archive's code is executed, which
its reader must have been allowed. Every graph of the script is written out again as Python, one
statement for a node (`translate`, with `control`, `primitives`, `scalars`, `operators`, `numbers`
and `recurrent` for the kinds of nodes), in which the exporter then finds loops, packed sequences
and recurrent layers as in anybody's code.
"""
