"""Durable work behind eight verbs. Its tables hold no fact: they may be thrown away at any moment."""
