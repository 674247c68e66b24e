"""EdgeDerm on the workstation: from labelled pictures to a model file that the device accepts."""
