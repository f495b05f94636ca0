"""Parts that people taught by points: fitted once, applied to every picture."""
