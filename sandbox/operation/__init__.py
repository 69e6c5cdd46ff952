"""运营: what comes in (supply) and what is done with it (job). Rules only, no rows. Pure."""
