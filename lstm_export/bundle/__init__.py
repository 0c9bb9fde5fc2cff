"""The deployed folder: layout, manifest, golden values, reading and writing."""
