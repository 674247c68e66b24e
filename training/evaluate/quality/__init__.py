"""What the quality gate refuses, of real pictures and of pictures that were drawn to be bad."""
