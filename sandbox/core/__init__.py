"""The vocabulary everything else is written in: resources, lifecycles, actors, errors. Pure."""
