"""What would go wrong, and where: modules before they are exported, graphs before they are run."""
