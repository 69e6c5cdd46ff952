"""The release ledger: which entities every released cell was made of, and what releases give together."""
