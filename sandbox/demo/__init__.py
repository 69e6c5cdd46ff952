"""What the demonstration needs: a synthetic resident register and a public survey, as CSV."""
