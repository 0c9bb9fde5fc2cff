"""Other people's weights, from whatever file they are in, as a description that can be built."""
