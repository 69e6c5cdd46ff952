"""The command line. Thin: no rule lives here."""
