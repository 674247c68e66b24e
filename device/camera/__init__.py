"""Where pictures come from: replayed files, USB cameras, cameras on the board's ribbon cable."""
