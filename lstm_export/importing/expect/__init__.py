"""A user's own inputs and outputs against what was understood; where they disagree, why."""
