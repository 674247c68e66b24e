"""The running box: which thread owns what, and how it starts and stops."""
