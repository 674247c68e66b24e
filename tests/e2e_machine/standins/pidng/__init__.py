"""So that picamera2 can be imported: raw files, which a box writes none of, are not in Debian."""
