"""The one door: who may do what, when; and the work that follows from it. Never opens a row of data."""
