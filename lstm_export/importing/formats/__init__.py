"""One file a format: `NAME`, `matches(path, head)` and `read(path)`, which gives a RawFile."""
