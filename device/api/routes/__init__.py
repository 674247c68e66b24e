"""One file for each resource: a thin step from HTTP to the appliance's ports and back."""
