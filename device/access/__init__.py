"""How the box knows its callers, and how they know the box: tokens and a certificate."""
