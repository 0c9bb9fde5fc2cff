"""One adapter per runtime that a bundle is verified in."""
