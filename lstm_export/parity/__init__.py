"""Whether a bundle gives the numbers it should: contract, golden values, live torch."""
