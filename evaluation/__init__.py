"""How good the product is, in figures: each measurement is a command of its own."""
