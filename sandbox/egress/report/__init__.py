"""What a person reads of a check: ``view`` orders it, ``html`` makes the page, ``pictures`` draws."""
