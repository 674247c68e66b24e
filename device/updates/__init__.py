"""Which model a box runs: installed ones beside the shipped one, on trial, and back."""
