"""Tables as labelled sequences: long, wide or text; what `classify`, `regress` and `tag` read."""
