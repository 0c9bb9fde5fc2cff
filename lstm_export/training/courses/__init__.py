"""What training does for one task, a file for each front: forecasts, and answers to sequences."""
