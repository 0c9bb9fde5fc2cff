"""What people's models do that weights do not tell: one family of alternatives in a file."""
