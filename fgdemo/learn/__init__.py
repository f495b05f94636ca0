"""Floor 4: learning and measuring, from one corrected label to all layers of a network."""
