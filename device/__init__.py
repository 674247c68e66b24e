"""EdgeDerm on the board: from a camera frame to an answer, without torch and without a network."""
