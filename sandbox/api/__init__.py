"""HTTP over the door: thin, no rule lives here."""
