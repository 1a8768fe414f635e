"""Scripts behind the numbers that README and docs claim; each writes its output into docs/results/."""
