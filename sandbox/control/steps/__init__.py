"""What the machine does in each working state, by subject: every module ends in its table ``STEPS``."""
