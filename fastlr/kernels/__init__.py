"""Compiled code, a file for each memory layout, with the same verbs in the same argument order."""
