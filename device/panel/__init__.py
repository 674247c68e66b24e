"""The button and the light: wires, what the light says, what a press means, and their thread."""
