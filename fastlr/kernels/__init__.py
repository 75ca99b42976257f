"""Compiled code, a file for each memory layout, with the same verbs in the same argument order.

`serve` kernels do the rounds of a `Task`, see `runtime.rounds.take`.
"""
