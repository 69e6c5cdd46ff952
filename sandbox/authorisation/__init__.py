"""授权: organisations, agreements, scenarios, and who may not be whom. Pure."""
