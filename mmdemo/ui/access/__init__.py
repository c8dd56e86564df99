"""Who may ask for what: the gate in front of everything that the process serves, and what it knows."""
