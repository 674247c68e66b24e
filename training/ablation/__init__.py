"""What each part is worth: a declared grid of trainings that differ in one thing each."""
