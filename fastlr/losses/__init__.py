"""What is minimised of each sample: targets, weights, the formula, and what the last pass left of every row."""
