"""What must be an error and not a file: traps that tracing falls into without a word."""
