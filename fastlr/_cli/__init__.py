"""Commands, each a module with ``main(argv)``; what they raise `__main__` turns into a line and an exit status."""
