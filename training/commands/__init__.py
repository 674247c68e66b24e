"""What the verbs do, without a command line; the command line and the demo call the same."""
