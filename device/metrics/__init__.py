"""Figures of a running box, in the form that Prometheus reads."""
