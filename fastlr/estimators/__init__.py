"""Choosing C by cross-validation: all folds and all values of C are one problem of many fits."""
