"""From arrays under names to an architecture, with every array of the file accounted for."""
