"""Many fits that share X: sets of sample weights, of which folds are a kind, times values of C."""
